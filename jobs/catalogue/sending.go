package catalogue

import (
	"nightshift/jobs"
	"nightshift/jobs/delivery"
	"nightshift/jobs/midsourcing"
	"nightshift/jobs/standard"
	"nightshift/jobs/transfer"
)

// deliveryPackage delivers what every installation has: sending, tracking, cleaning.
func deliveryPackage() []jobs.Workflow {
	return []jobs.Workflow{
		{Name: "aliasCleansing", Label: "Alias cleansing", Package: "delivery",
			Schedule: "0 3 * * *", Run: delivery.AliasCleansing,
			Reads:  tables("xtk.enum xtk.enum_value xtk.enum_alias xtk.enum_binding nms.recipient"),
			Writes: tables("xtk.enum xtk.enum_value xtk.enum_alias nms.recipient")},
		{Name: "billing", Label: "Billing", Package: "delivery",
			Schedule: "0 1 25 * *", Instances: []string{"marketing"}, Run: delivery.Billing,
			Reads:  tables("nms.delivery nms.delivery_stat nms.delivery_mapping nms.broad_log nms.broad_log_visitor nms.billing xtk.option xtk.operator"),
			Writes: tables("nms.billing nms.active_contact nms.delivery_stat nms.notification")},
		{Name: "cleanup", Label: "Database cleanup", Package: "delivery",
			Schedule: "0 4 * * *", Run: delivery.Cleanup,
			Reads: tables("xtk.option nms.delivery_mapping nms.delivery xtk.workflow"),
			Writes: tables("nms.group nms.rcp_grp_rel nms.delivery nms.dlv_exclusion nms.coupon_value nms.broad_log nms.broad_log_mid " +
				"nms.exclude_log nms.proposition nms.tracking_log nms.web_tracking_log nms.tracking_stats nms.tracking_url " +
				"nms.delivery_part nms.delivery_log_stats nms.mirror_page_info nms.mirror_page_search xtk.job_log xtk.reject " +
				"xtk.workflow_log xtk.workflow_task xtk.workflow_event xtk.slot_month xtk.workflow_login nms.visitor nms.address " +
				"nms.subscription nms.provider_msg_id nms.email_error_stat nms.email_error nms.mx_domain xtk.audit " +
				"nms.app_subscription_rcp xtk.session_info xtk.api_token nms.rt_event nms.batch_event nms.event_histo nms.rt_event_stat " +
				"nms.rema_match xtk.login_attempt xtk.heatmap_sample xtk.heatmap_load nms.notification nms.offer_received xtk.workflow_job xtk.setup_token " +
				"xtk.audit_anchor xtk.option")},
		{Name: "forecasting", Label: "Forecasting", Package: "delivery",
			Schedule: "0 1 * * *", Run: delivery.Forecasting,
			Reads: tables("nms.delivery nms.delivery_mapping nms.recipient nms.group nms.rcp_grp_rel nms.broad_log nms.typology_rule " +
				"nms.typology_rule_rel nms.volume_consumed xtk.option"),
			Writes: tables("nms.forecast_log nms.forecast_pressure nms.volume_line nms.dlv_exclusion nms.broad_log nms.exclude_log " +
				"nms.delivery")},
		{Name: "offerMgt", Label: "Offer notification", Package: "delivery",
			Schedule: "0 * * * *", Signals: []string{"approval"}, Run: delivery.OfferMgt,
			Reads: tables("nms.offer_env nms.offer_category nms.offer_space nms.offer nms.offer_view nms.offer_weight nms.offer_log " +
				"nms.proposition nms.delivery_mapping nms.ext_account xtk.operator xtk.operator_group_member xtk.option"),
			Writes: tables("nms.offer_category nms.offer_space nms.offer nms.offer_view nms.offer_weight nms.offer_log nms.notification " +
				"xtk.option")},
		{Name: "cleanupPausedWorkflows", Label: "Paused workflows cleanup", Package: "delivery",
			Schedule: "0 5 * * 1", Run: delivery.CleanupPausedWorkflows,
			Reads:  tables("xtk.workflow xtk.operator xtk.operator_group_member xtk.option"),
			Writes: tables("xtk.workflow xtk.workflow_job xtk.workflow_log xtk.audit nms.notification")},
		{Name: "reportingAggregates", Label: "Reporting aggregates", Package: "delivery",
			Schedule: "0 2 * * *", Run: delivery.ReportingAggregates,
			Reads: tables("nms.delivery nms.delivery_mapping nms.broad_log nms.tracking_log nms.tracking_url nms.web_tracking_log nms.service " +
				"nms.subscription nms.sub_histo xtk.enum xtk.enum_value xtk.olap_cube xtk.olap_dimension xtk.olap_measure xtk.option"),
			Writes: tables("nms.delivery_log_stats nms.user_agent_stats nms.service_stats nms.delivery_average_stats xtk.olap_aggregate " +
				"xtk.option")},
		{Name: "tracking", Label: "Tracking", Package: "delivery",
			Schedule: "0 * * * *", Run: delivery.Tracking,
			Reads: tables("nms.delivery nms.delivery_mapping nms.broad_log nms.broad_log_visitor nms.tracking_url nms.tracking_log nms.offer_space " +
				"nms.robot_rule nms.recipient nms.ext_account xtk.option"),
			Writes: tables("nms.tracking_log nms.tracking_log_visitor nms.tracking_log_rt_event nms.tracking_log_batch_event nms.web_tracking_log nms.user_agent " +
				"nms.user_agent_reject nms.tracking_stats nms.delivery nms.proposition xtk.reject xtk.option")},
		{Name: "deliverabilityUpdate", Label: "Refresh for deliverability", Package: "delivery",
			Schedule: "0 2 * * *", Run: delivery.DeliverabilityUpdate,
			Reads:  tables("xtk.option xtk.package_install nms.ext_account nms.rule_set nms.mail_rule nms.broad_log_msg"),
			Writes: tables("nms.mail_rule nms.mx_rule nms.domain_rule nms.suppression nms.rule_set nms.broad_log_msg xtk.option")},
	}
}

// standardPackage is installed whatever else is.
func standardPackage() []jobs.Workflow {
	return []jobs.Workflow{
		{Name: "collectDataHeatMapService", Label: "Collect data for HeatMap service", Package: "standard",
			Schedule: "*/15 * * * *", Run: standard.CollectDataHeatMapService,
			Reads:  tables("xtk.workflow xtk.workflow_task xtk.workflow_task_step xtk.option"),
			Writes: tables("xtk.heatmap_sample xtk.option")},
	}
}

// midSourcing belongs to a server that sends for others.
func midSourcing() []jobs.Workflow {
	return []jobs.Workflow{
		{Name: "deliveryIndicators", Label: "Delivery indicators", Package: "midsourcing",
			Schedule: "10 * * * *", Instances: []string{"mid"}, Run: midsourcing.DeliveryIndicators,
			Reads: tables("nms.delivery nms.delivery_mapping nms.broad_log_mid nms.tracking_log nms.web_tracking_log nms.tracking_url " +
				"xtk.option"),
			Writes: tables("nms.delivery")},
	}
}

// toMidSourcing lets another server send.
func toMidSourcing() []jobs.Workflow {
	return []jobs.Workflow{
		{Name: "defaultMidSourcingDlv", Label: "Mid-sourcing (delivery counters)", Package: "transfer",
			Schedule: "*/10 * * * *", Instances: []string{"marketing"}, OnError: "ignore", Run: transfer.DefaultMidSourcingDlv,
			Reads:  tables("nms.ext_account nms.delivery xtk.option"),
			Writes: tables("nms.delivery xtk.option")},
		{Name: "defaultMidSourcingLog", Label: "Mid-sourcing (delivery logs)", Package: "transfer",
			Schedule: "0 * * * *", Instances: []string{"marketing"}, OnError: "ignore", Run: transfer.DefaultMidSourcingLog,
			Reads:  tables("nms.ext_account nms.delivery nms.delivery_mapping nms.broad_log nms.broad_log_msg nms.address xtk.option"),
			Writes: tables("nms.broad_log nms.broad_log_msg nms.address nms.delivery xtk.option")},
	}
}
