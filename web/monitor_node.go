package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

// watchedNodes are the processes that should be there, each with its modules.
func (s *Server) watchedNodes(ctx context.Context) ([]views.Node, error) {
	nodes, err := s.db.Watched(ctx)
	if err != nil {
		return nil, err
	}
	shown := make([]views.Node, 0, len(nodes))
	for _, n := range nodes {
		shown = append(shown, watchedNode(n))
	}
	return shown, nil
}

func watchedNode(n db.NodeModules) views.Node {
	node := views.Node{ID: n.ID, Name: n.Name, Host: n.Host, Version: n.Version, PID: n.PID, Running: n.Running, Seen: n.Seen, Missing: n.Missing()}
	for _, m := range n.Modules {
		node.Modules = append(node.Modules, views.Module{Name: m.Name, Node: n.Name, State: m.State, Started: m.Started, Seen: m.Seen, Account: m.Account})
	}
	return node
}

// askRetire asks before a node that is missing is taken out of the list.
func (s *Server) askRetire(c echo.Context) error {
	return s.showRetire(c, http.StatusOK)
}

func (s *Server) showRetire(c echo.Context, status int) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	node, err := s.db.Node(c.Request().Context(), id)
	if err != nil {
		return err
	}
	page := s.page(c, views.SectionMonitoring, "")
	page.Title = page.T("monitor.retire_ask", node.Name)
	form := views.Retire{Page: page, Node: watchedNode(db.NodeModules{Node: node})}
	if !node.Missing() {
		form.Trouble = page.T("monitor.retire_alive")
	}
	return s.render(c, status, views.RetirePage(form))
}

// retireNode takes a node that is missing out of the list.
func (s *Server) retireNode(c echo.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	name, err := s.db.RetireNode(c.Request().Context(), s.actor(c), id)
	if errors.Is(err, db.ErrConflict) {
		return s.showRetire(c, http.StatusConflict)
	}
	if err != nil {
		return err
	}
	return s.done(c, "/monitoring", views.Flash{State: views.Finished, Text: s.plainPage(c).R("monitor.retire_done", name)})
}
