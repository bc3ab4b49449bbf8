package catalogue

import "nightshift/jobs"

// messageCenterControl controls transactional messages that are sent elsewhere.
func messageCenterControl() []jobs.Workflow {
	return []jobs.Workflow{
		{Name: "mcSynch", Label: "Message Center <external_account_name>", Package: "mccontrol",
			Schedule: "0 * * * *", Instances: []string{"marketing"},
			PerAccount: "execution_instance", OnError: "ignore", ErrorLimit: 3,
			Reads: tables("nms.ext_account xtk.option nms.delivery"),
			Writes: tables("nms.event_histo nms.broad_log_msg nms.broad_log_event_histo nms.tracking_url nms.tracking_log_event_histo " +
				"nms.address nms.rt_event_stat nms.delivery nms.mc_id_map xtk.option")},
		{Name: "agg_messageCenter_full", Label: "MessageCenter full aggregate calculation", Package: "mccontrol",
			Schedule: "0 3 * * *", Instances: []string{"marketing"},
			Reads:  tables("nms.event_histo xtk.olap_aggregate"),
			Writes: tables("nms.agg_message_center_full xtk.olap_aggregate")},
	}
}

// messageCenterExecution sends transactional messages.
func messageCenterExecution() []jobs.Workflow {
	return []jobs.Workflow{
		{Name: "batchEventsProcessing", Label: "Processing batch events", Package: "mcexecution",
			Schedule: "*/10 * * * *", Instances: []string{"execution"},
			Reads:  tables("nms.batch_event nms.delivery nms.recipient nms.address nms.service xtk.option"),
			Writes: tables("nms.batch_event nms.broad_log_batch_event nms.delivery nms.delivery_part")},
		{Name: "rtEventsProcessing", Label: "Processing real time events", Package: "mcexecution",
			Schedule: "* * * * *", Instances: []string{"execution"},
			OnError: "ignore", ErrorLimit: 10,
			Reads:  tables("nms.rt_event nms.delivery nms.recipient nms.address nms.service xtk.option"),
			Writes: tables("nms.rt_event nms.broad_log_rt_event nms.delivery nms.delivery_part")},
		{Name: "updateEventsStatus", Label: "Update event status", Package: "mcexecution",
			Schedule: "*/5 * * * *", Instances: []string{"execution"},
			Reads:  tables("nms.broad_log_rt_event nms.broad_log_batch_event nms.rt_event nms.batch_event xtk.option"),
			Writes: tables("nms.rt_event nms.batch_event nms.rt_event_stat xtk.option")},
	}
}

// mobile is the push channel.
func mobile() []jobs.Workflow {
	return []jobs.Workflow{
		{Name: "mobileAppOptOutMgt", Label: "NMAC opt-out management", Package: "mobile",
			Schedule: "0 1,7,13,19 * * *",
			OnError:  "ignore", ErrorLimit: 3,
			Reads: tables("nms.broad_log_app_sub_rcp nms.address nms.mobile_app nms.app_subscription_rcp nms.broad_log_event_histo " +
				"xtk.option"),
			Writes: tables("nms.app_subscription_rcp xtk.option")},
	}
}

// lineChannel is the LINE channel.
func lineChannel() []jobs.Workflow {
	return []jobs.Workflow{
		{Name: "deleteBlockedLineUsersV2", Label: "Delete blocked LINE users", Package: "line",
			Schedule: "30 3 * * *",
			OnError:  "ignore", ErrorLimit: 3,
			Reads:  tables("nms.visitor_sub nms.visitor nms.service nms.ext_account xtk.option"),
			Writes: tables("nms.visitor_sub nms.visitor nms.visitor_interest_rel nms.address")},
		{Name: "updateLineV2AccessToken", Label: "LINE V2 access token update", Package: "line",
			Schedule: "30 2 * * *",
			OnError:  "ignore", ErrorLimit: 3,
			Reads:  tables("nms.ext_account xtk.option"),
			Writes: tables("nms.ext_account")},
		{Name: "MIDToUserIDMigration", Label: "MID to LineUserID migration", Package: "line",
			OnError: "ignore", ErrorLimit: 3,
			Reads:  tables("nms.visitor nms.service nms.ext_account"),
			Writes: tables("nms.visitor nms.visitor_sub xtk.option")},
	}
}

// social is for social networks.
func social() []jobs.Workflow {
	return []jobs.Workflow{
		{Name: "statsTwitter", Label: "Calculation of Twitter statistics", Package: "social",
			Schedule: "0 8 * * *",
			OnError:  "ignore", ErrorLimit: 3,
			Reads:  tables("nms.delivery nms.social_post nms.tracking_log nms.service"),
			Writes: tables("nms.social_post nms.social_stat nms.service nms.delivery")},
		{Name: "syncTwitter", Label: "Synchronizing Twitter pages", Package: "social",
			Schedule: "0 7 * * *",
			OnError:  "ignore", ErrorLimit: 3,
			Reads:  tables("nms.service nms.visitor nms.visitor_sub"),
			Writes: tables("nms.visitor nms.visitor_sub nms.service nms.social_stat")},
		{Name: "syncFacebook", Label: "Synchronizing Facebook pages", Package: "social",
			Schedule: "0 7 * * *", Signals: []string{"facebook_authorized"},
			OnError: "ignore", ErrorLimit: 3,
			Reads:  tables("nms.ext_account nms.service"),
			Writes: tables("nms.service nms.ext_account nms.social_stat")},
		{Name: "syncFacebookFans", Label: "Synchronizing Facebook fans", Package: "social",
			Schedule: "0 7 * * *",
			OnError:  "ignore", ErrorLimit: 3,
			Reads:  tables("nms.service nms.visitor"),
			Writes: tables("nms.visitor nms.visitor_sub nms.interest nms.visitor_interest_rel nms.service nms.social_stat")},
	}
}

// webAnalytics exchanges with web analytics.
func webAnalytics() []jobs.Workflow {
	return []jobs.Workflow{
		{Name: "webAnalyticsGetWebEvents", Label: "Recovery of web events", Package: "webanalytics",
			Schedule: "0 * * * *", Signals: []string{"segment_file"}, Instances: []string{"marketing"},
			OnError: "ignore", ErrorLimit: 3,
			Reads:  tables("nms.ext_account nms.web_analytics_segment nms.broad_log nms.delivery"),
			Writes: tables("nms.web_event nms.remarketing_launch nms.remarketing_launch_member xtk.workflow_event xtk.option")},
		{Name: "webAnalyticsFindConverted", Label: "Identification of converted contacts", Package: "webanalytics",
			Schedule: "30 4 * * *", Instances: []string{"marketing"},
			OnError: "ignore", ErrorLimit: 3,
			Reads:  tables("nms.remarketing_launch_member nms.web_event nms.broad_log"),
			Writes: tables("nms.web_event nms.remarketing_launch_member nms.remarketing_stat")},
		{Name: "webAnalyticsPurgeWebEvents", Label: "Event purge", Package: "webanalytics",
			Schedule: "0 5 * * *", Instances: []string{"marketing"},
			OnError: "ignore", ErrorLimit: 3,
			Reads:  tables("nms.ext_account xtk.option"),
			Writes: tables("nms.web_event nms.remarketing_launch")},
		{Name: "webAnalyticsSendMetrics", Label: "Sending of indicators and campaign attributes", Package: "webanalytics",
			Schedule: "0 4 * * *", Instances: []string{"marketing"},
			OnError: "ignore", ErrorLimit: 3,
			Reads:  tables("nms.delivery nms.delivery_log_stats nms.web_analytics_snapshot nms.web_analytics_upload"),
			Writes: tables("nms.web_analytics_snapshot nms.web_analytics_upload nms.ext_account")},
	}
}

// audience exchanges audiences with the Experience Cloud.
func audience() []jobs.Workflow {
	return []jobs.Workflow{
		{Name: "exportSharedAudience", Label: "Export audiences to the Adobe Experience Cloud", Package: "audience",
			Schedule: "15 * * * *", Instances: []string{"marketing"},
			OnError: "ignore", ErrorLimit: 3,
			Reads:  tables("nms.shared_audience_export nms.amc_data_source nms.ext_account nms.shared_audience_member"),
			Writes: tables("nms.shared_audience_export nms.shared_audience_member nms.shared_audience_file nms.shared_audience")},
		{Name: "importSharedAudience", Label: "Import audiences from the Adobe Experience Cloud", Package: "audience",
			Schedule: "0 * * * *", Instances: []string{"marketing"},
			OnError: "ignore", ErrorLimit: 3,
			Reads:  tables("nms.shared_audience nms.amc_data_source nms.tracking_log nms.recipient nms.shared_audience_file"),
			Writes: tables("nms.shared_audience nms.shared_audience_member nms.shared_audience_file nms.rcp_grp_rel nms.group")},
	}
}
