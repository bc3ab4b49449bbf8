package db

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// OptionKind says how an option is written and checked.
type OptionKind string

// The kinds of options. Days are stored in seconds; a moment is written by workflows, never by people.
const (
	OptionText   OptionKind = "text"
	OptionNumber OptionKind = "number"
	OptionDays   OptionKind = "days"
	OptionChoice OptionKind = "choice"
	OptionZone   OptionKind = "zone"
	OptionMoment OptionKind = "moment"
	OptionAgents OptionKind = "agents" // rules of user agents, several lines
)

// OptionFact is what this version knows of an option: how to read, check and explain it.
type OptionFact struct {
	Name     string
	Group    string // purge, engine, instance, tracking or session: the part of the page it stands in
	Kind     OptionKind
	Default  string   // as a person writes it (days for OptionDays)
	Min, Max int64    // of numbers and days
	Unit     string   // locale key of the unit behind a number; empty: none
	Choices  []string // of OptionChoice
}

// DescriptionKey is the locale key of the sentence that explains the option.
func (f OptionFact) DescriptionKey() string { return "option.fact." + f.Name }

// OptionError says in words, by locale key and arguments, why a value is refused.
type OptionError struct {
	Key  string
	Args []any
}

func (e *OptionError) Error() string { return fmt.Sprintf("option refused: %s %v", e.Key, e.Args) }

func purgeDelay(name, days string) OptionFact {
	return OptionFact{Name: name, Group: "purge", Kind: OptionDays, Default: days, Min: 1, Max: 36500, Unit: "option.unit.days"}
}

// KnownOptions lists the options that this version reads, in the order of the page.
func KnownOptions() []OptionFact {
	return append([]OptionFact{
		purgeDelay("NmsCleanup_TrackingStatPurgeDelay", "365"),
		purgeDelay("NmsCleanup_BroadLogPurgeDelay", "180"),
		purgeDelay("NmsCleanup_TrackingLogPurgeDelay", "365"),
		purgeDelay("NmsCleanup_RecycledDeliveryPurgeDelay", "7"),
		purgeDelay("NmsCleanup_RejectsPurgeDelay", "180"),
		purgeDelay("NmsCleanup_VisitorPurgeDelay", "30"),
		purgeDelay("NmsCleanup_PropositionPurgeDelay", "365"),
		purgeDelay("NmsCleanup_EventPurgeDelay", "30"),
		purgeDelay("NmsCleanup_EventStatPurgeDelay", "365"),
		purgeDelay("NmsCleanup_EventHistoPurgeDelay", "365"),
		purgeDelay("XtkCleanup_AuditTrailPurgeDelay", "180"),
		purgeDelay("XtkCleanup_UnsentMessagePurgeDelay", "180"),
		purgeDelay("NmsCleanup_QuarantineMailboxFull", "30"),
		purgeDelay("NmsCleanup_AppSubscriptionRcpPurgeDelay", "180"),
		purgeDelay("NmsCleanup_WorkflowResultPurgeDelay", "30"),
		{Name: "XtkCleanup_NoStats", Group: "purge", Kind: OptionChoice, Default: "0", Choices: []string{"0", "1", "2"}},
		{Name: "NmsCleanup_LastCleanup", Group: "purge", Kind: OptionMoment},
		{Name: "NmsLastErrorStatCoalesce", Group: "purge", Kind: OptionMoment},
		{Name: "NmsReporting_LastAggregation", Group: "instance", Kind: OptionMoment},
		{Name: "NmsUserAgentStats_LastConsolidation", Group: "instance", Kind: OptionMoment},
		{Name: "XtkWorkflow_ConcurrencyLimit", Group: "engine", Kind: OptionNumber, Default: "20", Min: 1, Max: 200, Unit: "option.unit.runs"},
		{Name: "XtkSimulation_RowLimit", Group: "engine", Kind: OptionNumber, Default: "5000000", Min: 1, Max: 1_000_000_000, Unit: "option.unit.rows"},
		{Name: "NmsServer_PausedWorkflowPeriod", Group: "engine", Kind: OptionNumber, Default: "7", Min: 1, Max: 365, Unit: "option.unit.days"},
		{Name: "WdbcKillSessionPolicy", Group: "engine", Kind: OptionChoice, Default: "0", Choices: []string{"0", "1", "2"}},
		{Name: "XtkInstanceName", Group: "instance", Kind: OptionText},
		{Name: "XtkInstanceType", Group: "instance", Kind: OptionChoice, Default: "marketing", Choices: []string{"marketing", "mid", "execution"}},
		{Name: "WdbcTimeZone", Group: "instance", Kind: OptionZone, Default: "UTC"},
		{Name: "NmsServer_URL", Group: "instance", Kind: OptionText},
		{Name: "NmsServer_CustomerId", Group: "instance", Kind: OptionText},
		{Name: "DmRendering_cuid", Group: "instance", Kind: OptionText},
		{Name: "Deliverability_LastBroadLogMsgSent", Group: "instance", Kind: OptionMoment},
		{Name: "Deliverability_LastBroadLogMsgDate", Group: "instance", Kind: OptionMoment},
		{Name: "NmsBilling_MainActionThreshold", Group: "instance", Kind: OptionNumber, Default: "100", Min: 1, Max: 1_000_000_000, Unit: "option.unit.recipients"},
		{Name: "NmsBilling_VolumeUnit", Group: "instance", Kind: OptionNumber, Default: "102400", Min: 1, Max: 1_000_000_000, Unit: "option.unit.bytes"},
		{Name: "NmsForecast_MsgWeightFormula", Group: "instance", Kind: OptionText},
		{Name: "NmsForecast_FirstDayOfWeek", Group: "instance", Kind: OptionChoice, Default: "1", Choices: []string{"1", "6", "7"}},
		{Name: "NmsMidSourcing_PrepareFlow", Group: "instance", Kind: OptionNumber, Default: "3", Min: 1, Max: 100, Unit: "option.unit.calls"},
		{Name: "NmsMidSourcing_LogsPeriodHour", Group: "instance", Kind: OptionNumber, Default: "0", Min: 0, Max: 8760, Unit: "option.unit.hours"},
		{Name: "NmsNPAI_EmailMaxError", Group: "instance", Kind: OptionNumber, Default: "5", Min: 1, Max: 100, Unit: "option.unit.errors"},
		{Name: "NmsNPAI_EmailSignificantErrorDelay", Group: "instance", Kind: OptionNumber, Default: "86400", Min: 1, Max: 31_536_000, Unit: "option.unit.seconds"},
		{Name: "NmsNPAI_MobileMaxError", Group: "instance", Kind: OptionNumber, Default: "5", Min: 1, Max: 100, Unit: "option.unit.errors"},
		{Name: "NmsNPAI_MobileSignificantErrorDelay", Group: "instance", Kind: OptionNumber, Default: "86400", Min: 1, Max: 31_536_000, Unit: "option.unit.seconds"},
		{Name: "NmsMonitoring_PendingEventsWarning", Group: "instance", Kind: OptionNumber, Default: "1000", Min: 1, Max: 500_000, Unit: "option.unit.events"},
		{Name: "NmsMonitoring_PendingEventsAlert", Group: "instance", Kind: OptionNumber, Default: "5000", Min: 1, Max: 500_000, Unit: "option.unit.events"},
		{Name: "XtkSession_IdleTimeoutSec", Group: "session", Kind: OptionNumber, Default: "1800", Min: 60, Max: 86400, Unit: "option.unit.seconds"},
	}, trackingOptions()...)
}

// stored checks what a person wrote and returns the value to store.
func (f OptionFact) stored(input string) (string, error) {
	input = strings.TrimSpace(input)
	switch f.Kind {
	case OptionNumber, OptionDays:
		number, err := strconv.ParseInt(input, 10, 64)
		if err != nil || number < f.Min || number > f.Max {
			return "", &OptionError{Key: "option.error.range", Args: []any{f.Min, f.Max}}
		}
		if f.Kind == OptionDays {
			number *= secondsPerDay
		}
		return strconv.FormatInt(number, 10), nil
	case OptionChoice:
		if !slices.Contains(f.Choices, input) {
			return "", &OptionError{Key: "option.error.choice", Args: []any{strings.Join(f.Choices, ", ")}}
		}
	case OptionZone:
		if _, err := time.LoadLocation(input); err != nil || input == "" || input == "Local" {
			return "", &OptionError{Key: "option.error.zone", Args: []any{input}}
		}
	case OptionMoment:
		return "", &OptionError{Key: "option.error.read_only"}
	case OptionAgents:
		if len(input) > maxUserAgentRules {
			return "", &OptionError{Key: "option.error.length", Args: []any{maxUserAgentRules}}
		}
		if _, wrong := ParseUserAgentRules(input); len(wrong) > 0 {
			return "", &OptionError{Key: "option.error.agents", Args: []any{wrong[0].Error()}}
		}
	case OptionText:
		if len(input) > maxOptionText {
			return "", &OptionError{Key: "option.error.length", Args: []any{maxOptionText}}
		}
	}
	return input, nil
}

// shown turns a stored value into what a person edits, and says whether it is one that the option allows. A delay
// that is not a number, or not above zero, is shown as it is stored: its purge is skipped.
func (f OptionFact) shown(raw string) (value string, valid bool) {
	switch f.Kind {
	case OptionDays:
		seconds, err := strconv.ParseInt(raw, 10, 64)
		if err != nil || seconds <= 0 {
			return raw, false
		}
		return strconv.FormatFloat(float64(seconds)/secondsPerDay, 'g', 6, 64), true
	case OptionNumber, OptionChoice, OptionZone, OptionAgents:
		_, err := f.stored(raw)
		return raw, err == nil
	default:
		return raw, true
	}
}
