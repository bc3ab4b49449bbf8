// Cluster runs a command with one throw-away PostgreSQL for all the test processes below it: in memory where there is
// room, without fsync, its address in TEST_DATABASE_URL, gone afterwards. An address that is set already is used as it is.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"nightshift/db"
)

// variable tells the tests where PostgreSQL is.
const variable = "TEST_DATABASE_URL"

// room is what the test databases need at most, in bytes.
const room = 4 << 30

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "cluster <command> [arguments]")
		os.Exit(2)
	}
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster: "+err.Error())
	}
	os.Exit(code)
}

// run starts PostgreSQL, runs the command and returns its exit code.
func run(args []string) (code int, err error) {
	environment := os.Environ()
	if os.Getenv(variable) == "" {
		dir, err := folder()
		if err != nil {
			return 1, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		cluster, err := db.StartCluster(context.Background(), db.ClusterConfig{Dir: dir, Volatile: true})
		if err != nil {
			return 1, err
		}
		defer func() { err = errors.Join(err, cluster.Stop()) }()
		environment = append(environment, variable+"="+cluster.URL("postgres"))
	}
	// Ctrl-C reaches the command as well: it ends, then we do.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGTERM)
	command := exec.Command(args[0], args[1:]...)
	command.Env = environment
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 1, fmt.Errorf("%s: %w", args[0], err)
	}
	return 0, nil
}

// folder makes one that PostgreSQL's user may enter: in memory, or where temporary files go when there is little of it.
func folder() (string, error) {
	parent := "/dev/shm"
	var space syscall.Statfs_t
	if err := syscall.Statfs(parent, &space); err != nil || space.Bavail*uint64(space.Bsize) < room {
		parent = os.TempDir()
	}
	dir, err := os.MkdirTemp(parent, "ns-test-")
	if err != nil { // a memory that is not for everybody
		dir, err = os.MkdirTemp("", "ns-test-")
	}
	if err != nil {
		return "", fmt.Errorf("folder for PostgreSQL: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", fmt.Errorf("folder for PostgreSQL: %w", err)
	}
	return dir, nil
}
