package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"nightshift/db"
	"nightshift/views/locale"
)

const operatorUsage = `nightshift operator list
nightshift operator add <login> [-label text] [-email address] [-language en|ko] [-groups name,…] [-rights name,…]
nightshift operator reset <login>          print a one-time link to choose a new password
nightshift operator disable|enable <login>
nightshift operator end-sessions <login>`

// commandLine is who acts from there. Whoever can run it reads the database anyway, so it holds every right; the audit
// trail shows the name and the command.
func commandLine(command string) db.Actor {
	return db.Actor{Login: "command line", Rights: []string{db.Administration}, Route: command}
}

// operatorCommand is the way back in when nobody can sign in, and the way to script operators.
func operatorCommand(ctx context.Context, c config, args []string, out io.Writer) error {
	if len(args) == 0 || !slices.Contains([]string{"list", "add", "reset", "disable", "enable", "end-sessions"}, args[0]) ||
		args[0] != "list" && (len(args) < 2 || strings.HasPrefix(args[1], "-")) {
		return errors.New(operatorUsage)
	}
	return inWords(onDatabase(ctx, c, func(d *db.DB) error {
		switch args[0] {
		case "list":
			return listOperators(ctx, d, out)
		case "add":
			return addOperator(ctx, d, c, args[1:], out)
		}
		o, err := d.OperatorByLogin(ctx, args[1])
		if errors.Is(err, db.ErrNotFound) {
			return fmt.Errorf("there is no operator %q; nightshift operator list shows all", args[1])
		}
		if err != nil {
			return fmt.Errorf("operator %s: %w", args[1], err)
		}
		switch args[0] {
		case "reset":
			return printResetLink(ctx, d, c, o, out)
		case "disable", "enable":
			_, err = d.EditOperator(ctx, commandLine("nightshift operator"), o.ID, db.OperatorEdit{Login: o.Login, Label: o.Label, Email: o.Email,
				Language: o.Language, Timezone: o.Timezone, Groups: o.Groups, Rights: o.DirectRights, Disabled: args[0] == "disable"})
			return err
		}
		return d.EndSessions(ctx, commandLine("nightshift operator"), o.ID, "")
	}))
}

// inWords says why an order is refused, and all that cannot be taken of an operator, as the console does.
func inWords(err error) error {
	var refusal *db.Refusal
	if errors.As(err, &refusal) {
		return errors.New(locale.T(locale.English, refusal.Key))
	}
	var invalid *db.Invalid
	if !errors.As(err, &invalid) {
		return err
	}
	var said []string
	for _, fault := range append([]*db.Invalid{invalid}, invalid.Others...) {
		said = append(said, fault.Field+": "+locale.T(locale.English, fault.Key, fault.Args...))
	}
	return errors.New(strings.Join(said, "\n"))
}

func listOperators(ctx context.Context, d *db.DB, out io.Writer) error {
	operators, err := d.Operators(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, o := range operators {
		state := "enabled"
		switch {
		case o.Disabled:
			state = "disabled"
		case !o.HasPassword:
			state = "no password"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", o.Login, state, strings.Join(o.Groups, ","), strings.Join(o.Rights, ","))
	}
	return table.Flush()
}

func addOperator(ctx context.Context, d *db.DB, c config, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("operator add", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	label := flags.String("label", args[0], "name as people read it")
	email := flags.String("email", "", "address for notices")
	language := flags.String("language", "en", "language of the console")
	groups := flags.String("groups", "", "internal names of groups, comma separated")
	rights := flags.String("rights", "", "named rights besides those of the groups, comma separated")
	if err := flags.Parse(args[1:]); err != nil {
		return fmt.Errorf("%w\n%s", err, operatorUsage)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("operator add: %q is not understood\n%s", flags.Arg(0), operatorUsage)
	}
	if err := knows(ctx, d, list(*groups), list(*rights)); err != nil {
		return err
	}
	o, err := d.AddOperator(ctx, commandLine("nightshift operator"), db.OperatorEdit{Login: args[0], Label: *label, Email: *email, Language: *language,
		Groups: list(*groups), Rights: list(*rights)})
	if err != nil {
		return err
	}
	return printResetLink(ctx, d, c, o, out)
}

// knows refuses groups and rights that do not exist, with those that do: in the console one can only choose.
func knows(ctx context.Context, d *db.DB, groups, rights []string) error {
	all, err := d.Groups(ctx)
	if err != nil {
		return err
	}
	named, err := d.Rights(ctx)
	if err != nil {
		return err
	}
	var ofGroups, ofRights []string
	for _, g := range all {
		ofGroups = append(ofGroups, g.Name)
	}
	for _, r := range named {
		ofRights = append(ofRights, r.Name)
	}
	return errors.Join(within("groups", groups, ofGroups), within("rights", rights, ofRights))
}

func within(what string, wanted, there []string) error {
	for _, name := range wanted {
		if !slices.Contains(there, name) {
			return fmt.Errorf("%s: there is no %q, but %s", what, name, strings.Join(there, ", "))
		}
	}
	return nil
}

func printResetLink(ctx context.Context, d *db.DB, c config, o db.Operator, out io.Writer) error {
	token, err := d.ResetLink(ctx, commandLine("nightshift operator"), o.ID)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s chooses a password within 15 minutes at %s\n", o.Login, c.publicURL.JoinPath("reset", token))
	return err
}
