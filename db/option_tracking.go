package db

// trackingOptions are the options of the tracking workflow, under the names that Campaign gives them or, for what it keeps in
// a configuration file, the name of that parameter.
func trackingOptions() []OptionFact {
	text := func(name string) OptionFact { return OptionFact{Name: name, Group: "tracking", Kind: OptionText} }
	number := func(name, byDefault string, highest int64, unit string) OptionFact {
		return OptionFact{Name: name, Group: "tracking", Kind: OptionNumber, Default: byDefault, Max: highest, Unit: "option.unit." + unit}
	}
	return []OptionFact{
		{Name: "NmsTracking_Available", Group: "tracking", Kind: OptionChoice, Default: "1", Choices: []string{"0", "1"}},
		text("NmsTracking_ServerUrlList"),
		text("NmsTracking_ServerUrl"),
		text("NmsTracking_SecureServerUrl"),
		text("NmsTracking_ExtAccount"),
		{Name: "NmsTracking_LogCountPerRequest", Group: "tracking", Kind: OptionNumber, Default: "1000", Min: 1, Max: 10_000, Unit: "option.unit.lines"},
		number("NmsTracking_DedupOpenPeriodMin", "1", 1440, "minutes"),
		{Name: "NmsTracking_WebTrackingMode", Group: "tracking", Kind: OptionChoice, Default: "session", Choices: []string{"session", "permanent", "anonymous"}},
		text("NmsTracking_WebTrackingDelivery"),
		{Name: UserAgentRules, Group: "tracking", Kind: OptionAgents},
		number("NmsTracking_TrackingIgnorePercent", "1", 100, "percent"),
		number("NmsTracking_TrackingIgnorePeriod", "86400", 31_536_000, "seconds"),
		number("NmsTracking_ErrorIgnorePercent", "1", 100, "percent"),
		number("NmsTracking_ErrorIgnorePeriod", "86400", 31_536_000, "seconds"),
		number("NmsTracking_IndicatorsDuration", "2592000", 315_360_000, "seconds"),
		text("NmsTracking_Pointer"),
		{Name: "NmsTracking_LastConsolidation", Group: "tracking", Kind: OptionMoment},
		// Not moments, but written by the workflow alone like those.
		{Name: "NmsTracking_LastConsolidatedId", Group: "tracking", Kind: OptionMoment},
		{Name: "NmsTracking_LastPropositionId", Group: "tracking", Kind: OptionMoment},
	}
}
