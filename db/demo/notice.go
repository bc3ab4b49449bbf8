package demo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// notice is a message of the outbox that the past has left.
type notice struct {
	age           time.Duration
	state         string
	attempts      int32
	sent, problem any // when, and why not; nil: neither
}

// notices fills the outbox with what the watch over paused workflows had to say, in the order in which it was said: nearly
// all of it was sent, some was refused for good, and of some the answer was lost.
func (l *loader) notices(ctx context.Context) error {
	const refused = "550 5.1.1 <supervisor@example.com>: Recipient address rejected: User unknown"
	all := []notice{
		{age: 181*day + 2*hour, state: "error", attempts: 1, problem: refused},
		{age: 181 * day, state: "unknown", attempts: 1, problem: "the process was lost before the answer came"},
		{age: 177 * day, state: "error", attempts: 1, problem: refused},
		{age: 5 * day, state: "error", attempts: 1, problem: refused},
	}
	for i := range int64(40) {
		age := l.age(i, 30*day)
		all = append(all, notice{age: age, state: "sent", attempts: 1, sent: l.ago(age)})
	}
	slices.SortStableFunc(all, func(a, b notice) int { return cmp.Compare(b.age, a.age) })
	return l.copy(ctx, "nms.notification",
		"id effect_key workflow_name to_address subject body_text state attempts next_try_at sent_at last_error created last_modified",
		numbered(int64(len(all)), func(i int64) []any {
			n := all[i]
			at := l.ago(n.age)
			return []any{i + 1, fmt.Sprintf("demo notice %d", i+1), "cleanupPausedWorkflows", "supervisor@example.com",
				"Workflow paused for more than 7 days", "A workflow of the demo has been paused for more than seven days.",
				n.state, n.attempts, nil, n.sent, n.problem, at, at}
		}))
}
