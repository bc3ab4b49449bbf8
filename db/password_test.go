package db_test

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"

	"nightshift/db"
)

// Two hundred sign-ins at once take the memory of the four that are computed at once, also where the collector of a
// process waits as long as that of serve.
func TestHashingGivesItsMemoryBack(t *testing.T) {
	t.Parallel()
	const mark = "NIGHTSHIFT_TEST_HASHES"
	if os.Getenv(mark) != "" {
		debug.SetGCPercent(400)
		hash := db.HashAlone()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 10 {
					if _, err := hash(t.Context(), "seven purple lanterns"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHashingGivesItsMemoryBack$")
	child.Env = append(os.Environ(), mark+"=1")
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("the process that hashes: %v\n%s", err, out)
	}
	usage, ok := child.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok || runtime.GOOS != "linux" {
		t.Skip("the system does not tell how much memory a process took")
	}
	if most := usage.Maxrss >> 10; most > 180 {
		t.Errorf("got %d MiB at most, want 4 times 19 and what a test takes", most)
	}
}
