package catalogue

import "nightshift/jobs"

// campaign drives marketing campaigns.
func campaign() []jobs.Workflow {
	return []jobs.Workflow{
		{Name: "operationMgt", Label: "Campaign jobs", Package: "campaign",
			Schedule: "* * * * *", Signals: []string{"start_requested", "restart_preparation"}, Instances: []string{"marketing"},
			Reads: tables("nms.operation nms.operation_planning xtk.workflow nms.delivery nms.approval nms.hypothesis nms.simulation " +
				"nms.supplier_service nms.export_template xtk.option"),
			Writes: tables("nms.operation nms.operation_planning xtk.workflow nms.delivery nms.broad_log nms.document nms.hypothesis " +
				"nms.simulation nms.operation_log")},
		{Name: "deliveryMgt", Label: "Jobs on deliveries in campaigns", Package: "campaign",
			Schedule: "* * * * *", Signals: []string{"submit", "approval", "confirm"}, Instances: []string{"marketing"},
			Reads:  tables("nms.delivery nms.approval nms.approval_assignee nms.operation nms.supplier_service xtk.option"),
			Writes: tables("nms.delivery nms.approval nms.supplier_job nms.operation_log nms.notification")},
		{Name: "supplierMgt", Label: "Jobs on service providers", Package: "campaign",
			Schedule: "*/5 * * * *", Signals: []string{"supplier_job"}, Instances: []string{"marketing"},
			Reads:  tables("nms.supplier_job nms.delivery nms.supplier nms.supplier_service nms.document xtk.workflow"),
			Writes: tables("nms.supplier_job nms.delivery xtk.workflow nms.operation_log nms.notification")},
		{Name: "budgetMgt", Label: "Cost calculation", Package: "campaign",
			Schedule: "*/15 * * * *", Signals: []string{"cost_dirty"}, Instances: []string{"marketing"},
			Reads: tables("nms.cost_selection nms.cost_center nms.cost_type nms.cost_structure nms.budget nms.delivery nms.task " +
				"nms.operation"),
			Writes: tables("nms.cost_line nms.expense_line nms.budget nms.budget_category nms.delivery nms.task nms.operation nms.program " +
				"nms.plan")},
		{Name: "stockMgt", Label: "Stock: Orders and alerts", Package: "campaign",
			Schedule: "5-59/15 * * * *", Instances: []string{"marketing"},
			Reads:  tables("nms.stock nms.stock_line nms.stock_order nms.stock_consumption nms.cost_selection nms.delivery"),
			Writes: tables("nms.stock_line nms.stock_order nms.stock_movement nms.notification")},
	}
}

// mrm looks after marketing resources, tasks and forums.
func mrm() []jobs.Workflow {
	return []jobs.Workflow{
		{Name: "assetMgt", Label: "Marketing resource notifications", Package: "mrm",
			Schedule: "*/5 * * * *", Signals: []string{"submit", "approval", "publish"}, Instances: []string{"marketing"},
			Reads:  tables("nms.asset nms.approval nms.task"),
			Writes: tables("nms.asset nms.asset_log nms.approval nms.notification xtk.workflow")},
		{Name: "taskMgt", Label: "Task notification", Package: "mrm",
			Schedule: "*/5 * * * *", Instances: []string{"marketing"},
			Reads:  tables("nms.task nms.task_operator nms.operation"),
			Writes: tables("nms.task nms.task_operator nms.task_log nms.approval nms.notification")},
		{Name: "newsgroupMgt", Label: "Discussion forum processes", Package: "mrm",
			Signals: []string{"approval"}, Instances: []string{"marketing"},
			Reads:  tables("nms.forum nms.forum_message nms.forum_subscription xtk.operator"),
			Writes: tables("nms.forum_message nms.notification")},
	}
}

// distributed lets local entities order from a central one.
func distributed() []jobs.Workflow {
	return []jobs.Workflow{
		{Name: "centralLocalMgt", Label: "Distributed marketing processes", Package: "distributed",
			Schedule: "*/5 * * * *", Signals: []string{"submit", "approval", "order", "cancel"}, Instances: []string{"marketing"},
			Reads:  tables("nms.local_org_unit nms.campaign_package nms.local_order nms.approval"),
			Writes: tables("nms.campaign_package nms.local_order nms.operation xtk.workflow nms.delivery nms.approval nms.notification")},
	}
}

// interaction is the offer engine.
func interaction() []jobs.Workflow {
	return []jobs.Workflow{
		{Name: "agg_nmspropositionrcp_full", Label: "Full aggregate calculation (propositionrcp cube)", Package: "interaction",
			Schedule: "0 6 * * *",
			Reads:    tables("nms.proposition nms.offer nms.delivery"),
			Writes:   tables("nms.agg_proposition_rcp_full xtk.olap_aggregate")},
	}
}

// interactionControl controls offer engines that run elsewhere.
func interactionControl() []jobs.Workflow {
	return []jobs.Workflow{
		{Name: "propositionSynch", Label: "Proposition synchronization", Package: "interactioncontrol",
			Schedule: "*/5 * * * *", Instances: []string{"marketing"},
			Reads: tables("nms.proposition nms.offer_env nms.ext_account xtk.option"),
			Writes: tables("nms.proposition nms.synch_pair nms.synch_reject nms.synch_conflict nms.proposition_tombstone nms.notification " +
				"xtk.option")},
	}
}

// privacy answers what people ask about their data.
func privacy() []jobs.Workflow {
	return []jobs.Workflow{
		{Name: "collectPrivacyRequests", Label: "Collect privacy requests", Package: "privacy",
			Schedule: "15 0 * * *",
			Reads: tables("nms.privacy_request nms.privacy_namespace nms.privacy_schema nms.recipient nms.broad_log nms.tracking_log " +
				"nms.rcp_grp_rel nms.subscription nms.proposition nms.visitor"),
			Writes: tables("nms.privacy_request nms.privacy_request_data nms.privacy_request_log")},
		{Name: "deletePrivacyRequestsData", Label: "Delete privacy requests data", Package: "privacy",
			Schedule: "45 0 * * *",
			Reads:    tables("nms.privacy_request nms.privacy_namespace nms.privacy_schema"),
			Writes: tables("nms.recipient nms.broad_log nms.tracking_log nms.rcp_grp_rel nms.subscription nms.proposition nms.visitor " +
				"nms.privacy_request nms.privacy_request_data nms.privacy_request_log xtk.audit")},
		{Name: "cleanupPrivacyRequests", Label: "Privacy request cleanup", Package: "privacy",
			Schedule: "30 5 * * *",
			Reads:    tables("nms.privacy_request xtk.option"),
			Writes:   tables("nms.privacy_request nms.privacy_request_data")},
	}
}
