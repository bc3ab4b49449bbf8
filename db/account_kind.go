package db

import "strings"

// Types of external accounts that this version can use.
const (
	AccountSMTP           = "tech_smtp"
	AccountMidSourcing    = "mid_sourcing"
	AccountExecution      = "execution_instance"
	AccountTracking       = "tracking_server"
	AccountDeliverability = "deliverability"
	AccountWebhook        = "webhook"
)

// AccountKind says what an account of a type is made of. Fields of: server url address port encryption login secret,
// and of the params from authority use_interaction private language.
type AccountKind struct {
	Type   string
	Fields string
	Port   int    // by default
	Server string // where it is unless the account says otherwise
}

// AccountKinds are the types in the order of a list.
func AccountKinds() []AccountKind {
	return []AccountKind{
		{Type: AccountSMTP, Fields: "server port encryption login secret from authority", Port: 587},
		{Type: AccountWebhook, Fields: "address secret authority private language"},
		{Type: AccountMidSourcing, Fields: "url login secret"},
		{Type: AccountExecution, Fields: "url login secret use_interaction"},
		{Type: AccountTracking, Fields: "login secret authority"},
		{Type: AccountDeliverability, Fields: "url login secret authority", Server: "https://deliverability-service.adobe.io"},
	}
}

// AccountKindOf finds a type; ok is false for one that this version does not use.
func AccountKindOf(name string) (kind AccountKind, ok bool) {
	for _, k := range AccountKinds() {
		if k.Type == name {
			return k, true
		}
	}
	return AccountKind{Type: name}, false
}

// Has reports whether accounts of the type have a field.
func (k AccountKind) Has(field string) bool {
	for f := range strings.FieldsSeq(k.Fields) {
		if f == field {
			return true
		}
	}
	return false
}
