package demo

import "context"

// loadCubes makes a cube of the messages sent, whose sums by day and outcome a workflow keeps in a table.
func loadCubes(ctx context.Context, l *loader) error {
	for _, sql := range []string{`
		INSERT INTO xtk.olap_cube (id, name, label, fact_table, filter)
		VALUES (1, 'deliveryLogs', 'Delivery logs', 'nms.broad_log', $$status <> 'pending'$$)`, `
		INSERT INTO xtk.olap_dimension (cube_id, name, expression)
		VALUES (1, 'day', 'created::date'), (1, 'status', 'status'), (1, 'delivery', 'delivery_id')`, `
		INSERT INTO xtk.olap_measure (cube_id, name, operator, expression, filter)
		VALUES (1, 'messages', 'count', '*', NULL), (1, 'failures', 'count', '*', $$status = 'failed'$$), (1, 'recipients', 'count_distinct', 'recipient_id', NULL)`, `
		INSERT INTO xtk.olap_aggregate (cube_id, name, dimensions, mode, partial_condition, table_name, workflow_name)
		VALUES (1, 'byDay', '["day", "status"]', 'full', NULL, 'nms.agg_delivery_day', 'reportingAggregates'),
		       (1, 'recent', '["day", "delivery"]', 'partial', $$day >= current_date - 30$$, 'nms.agg_delivery_recent', 'reportingAggregates')`,
	} {
		if err := l.exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}
