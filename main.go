// Nightshift is the admin console and the scheduler of a marketing platform's technical workflows, in one process.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"text/tabwriter"
)

// command is one word after the program's name.
type command struct {
	name, usage, meaning string
	run                  func(ctx context.Context, c config, args []string, out io.Writer) error
}

func commands() []command {
	return []command{
		{"serve", "", "run the console and the scheduler until SIGINT or SIGTERM", serveCommand},
		{"run", "<workflow> [--simulate] [-- -name:value …]", "run one workflow now and print its log", runCommand},
		{"migrate", "", "bring the database to the schema of this version", migrateCommand},
		{"demo", "--size small|medium|large --seed N [--once]", "load the demo database into an empty one", demoCommand},
		{"demo-pair", "", "run a marketing and a mid-sourcing instance side by side, with deliveries on their way", demoPairCommand},
		{"operator", "…", "list, add and reset operators when nobody can sign in", operatorCommand},
		{"monitor", "[-missing | -json]", "print what Monitoring shows; with -missing the modules that should be there and are not (exit code 2 when there are)", monitorCommand},
		{"audit", "verify", "recompute the hash chain of the audit trail", auditCommand},
		{"key", "replace", "go on with the key of this process after the instance's was lost for good", keyCommand},
		{"config", "", "print what can be configured and what holds now", configCommand},
		{"version", "", "print the version", versionCommand},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "nightshift: "+err.Error())
		stop()
		if errors.Is(err, errMissing) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

// run finds the command and reads the configuration for it.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h" {
		return usage(out)
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		if len(args) > 1 && (args[1] == "--help" || args[1] == "-h") {
			return c.help(out)
		}
		if c.usage == "" && len(args) > 1 {
			return fmt.Errorf("nightshift %s takes nothing more, but there is %q", c.name, args[1])
		}
		settings, err := readConfig(os.Getenv)
		if err != nil {
			return err
		}
		return c.run(ctx, settings, args[1:], out)
	}
	return errors.Join(fmt.Errorf("unknown command %q", args[0]), usage(out))
}

// help says of one command how it is written and what it does.
func (c command) help(out io.Writer) error {
	written := strings.TrimSpace("nightshift " + c.name + " " + c.usage)
	if c.name == "operator" {
		written = operatorUsage
	}
	_, err := fmt.Fprintf(out, "%s\n\n%s\n", written, c.meaning)
	return err
}

func usage(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "nightshift <command>")
	for _, c := range commands() {
		_, _ = fmt.Fprintf(table, "  %s\t%s\n", strings.TrimSpace(c.name+" "+c.usage), c.meaning)
	}
	return table.Flush()
}

func versionCommand(_ context.Context, _ config, _ []string, out io.Writer) error {
	_, err := fmt.Fprintf(out, "nightshift %s (%s, %s/%s)\n", build(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// build names the commit the binary was made from, with a mark when the tree had changes.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	name, changed := "development", ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision" && len(setting.Value) >= 12:
			name = setting.Value[:12]
		case setting.Key == "vcs.modified" && setting.Value == "true":
			changed = "+changed"
		}
	}
	return name + changed
}
