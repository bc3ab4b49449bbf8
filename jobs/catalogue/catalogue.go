package catalogue

import (
	"slices"
	"strings"

	"nightshift/jobs"
)

// All returns the 46 workflows, by package in the order in which packages are shown. Each call makes its own copy.
func All() []jobs.Workflow {
	return slices.Concat(
		deliveryPackage(), standardPackage(), midSourcing(), toMidSourcing(),
		campaign(), mrm(), distributed(), interaction(), interactionControl(), privacy(),
		messageCenterControl(), messageCenterExecution(), mobile(), lineChannel(), social(), webAnalytics(), audience(),
	)
}

// tables splits a list of names at its blanks.
func tables(names string) []string { return strings.Fields(names) }
