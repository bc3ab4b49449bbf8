package engine

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// listen keeps one connection that holds this node's lock and hears the bells. When it is lost it is made anew; what
// rang meanwhile is found by the next round.
func (e *Engine) listen(ctx context.Context) {
	wait := time.Duration(0)
	for ctx.Err() == nil {
		began := time.Now()
		err := e.listenOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		e.mu.Lock()
		e.deaf = err
		e.mu.Unlock()
		if time.Since(began) > backOffTo {
			wait = 0
		}
		if wait == 0 {
			e.config.Logger.WarnContext(ctx, "the engine's listening connection was lost", "node", e.node.Name, "error", err)
		}
		wait = min(max(2*wait, backOffFrom), backOffTo)
		pause(ctx, wait)
	}
}

// listenOnce connects, registers the node and hands out bells until the connection ends.
func (e *Engine) listenOnce(ctx context.Context) error {
	config := e.config.DB.Pool.Config().ConnConfig
	config.RuntimeParams["application_name"] = "nightshift node " + e.node.Name
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer func() {
		end, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer done()
		_ = conn.Close(end)
	}()
	for _, channel := range []string{db.ChannelWork, db.ChannelStop} {
		if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
			return fmt.Errorf("listen to %s: %w", channel, err)
		}
	}
	if err := e.join(ctx, conn); err != nil {
		return err
	}
	e.ring()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		if n.Channel == db.ChannelStop {
			if id, err := strconv.ParseInt(n.Payload, 10, 64); err == nil {
				e.stopTask(ctx, id)
			}
			continue
		}
		e.hear(n.Payload)
	}
}

// join registers the node. Its name is fixed by the first time, because runs are signed with it.
func (e *Engine) join(ctx context.Context, conn *pgx.Conn) error {
	node := e.nodeNow()
	if err := db.JoinNode(ctx, conn, &node); err != nil {
		return err
	}
	e.mu.Lock()
	e.node = node
	e.mu.Unlock()
	if err := e.config.DB.UseNode(ctx, node.ID); err != nil {
		return err
	}
	e.mu.Lock()
	e.deaf = nil
	e.mu.Unlock()
	return nil
}

// hears says why the node is not registered and hears no bell, if that is so.
func (e *Engine) hears(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.deaf
}

// nodeNow is the node as it is registered; its ID is 0 before.
func (e *Engine) nodeNow() db.Node {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.node
}
