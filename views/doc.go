// Package views turns typed page structs into HTML. It knows no database and no workflow: the web fills a struct,
// a component of the same name with Page behind it (Workflows, WorkflowsPage) writes it.
//
// Marks of this house: every text comes from package locale; times are shown by Time, numbers by Number, states by
// Mark and State; positions and widths are SVG attributes, because the content policy forbids inline style.
// Forms post to plain paths and work without script.
package views
