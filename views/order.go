package views

// Order is what an operator can ask of a workflow. Its word is also the last part of its address:
// GET /workflows/{name}/{order} asks, POST orders.
type Order string

// The orders. OrderRun is "run now" from any state that allows it; OrderWakeup brings the next slot forward.
const (
	OrderStart             Order = "start"
	OrderPause             Order = "pause"
	OrderStop              Order = "stop"
	OrderUnconditionalStop Order = "unconditional-stop"
	OrderRestart           Order = "restart"
	OrderPurgeHistory      Order = "purge-history"
	OrderSimulate          Order = "simulate"
	OrderWakeup            Order = "wakeup"
	OrderRun               Order = "run"
)

// Orders lists all orders.
func Orders() []Order {
	return []Order{OrderStart, OrderPause, OrderStop, OrderUnconditionalStop, OrderRestart, OrderPurgeHistory, OrderSimulate, OrderWakeup, OrderRun}
}

func orderPath(workflow string, o Order) string { return workflowPath(workflow) + "/" + string(o) }

// orderAction is the way to an order, by a word that fits the state: Start is "Resume" from a pause.
func (p Page) orderAction(workflow string, o Order, s State) Action {
	key := "order." + string(o)
	if o == OrderStart && (s == Paused || s == Failed) {
		key = "order.resume"
	}
	return Action{Text: p.T(key), Href: orderPath(workflow, o)}
}

// orderActions are the ways to all orders that can be given.
func (p Page) orderActions(workflow string, can []Order, s State) []Action {
	var actions []Action
	for _, o := range can {
		actions = append(actions, p.orderAction(workflow, o, s))
	}
	return actions
}
