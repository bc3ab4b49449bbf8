// Package e2e_test drives the real binary in a real browser on a real PostgreSQL: a file a task of a person.
package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// binary builds Nightshift once for all tests and returns its path.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "nightshift-e2e-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "nightshift")
	command := exec.CommandContext(context.Background(), "go", "build", "-ldflags", "-s -w", "-o", path, "..")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// chromium starts one browser for all tests; each test has a context, so cookies, of its own.
var chromium = sync.OnceValues(func() (playwright.Browser, error) {
	driver, err := filepath.Abs("driver")
	if err != nil {
		return nil, err
	}
	path, err := findBrowser()
	if err != nil {
		return nil, err
	}
	options := &playwright.RunOptions{DriverDirectory: driver, SkipInstallBrowsers: true}
	browsers, err := playwright.Run(options)
	if err != nil {
		return nil, fmt.Errorf("driver in %s: %w", driver, err)
	}
	return browsers.Chromium.Launch(playwright.BrowserTypeLaunchOptions{ExecutablePath: playwright.String(path)})
})

func findBrowser() (string, error) {
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no Chromium on this machine: apt-get install chromium-headless-shell")
}

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// browser returns the shared browser. Where there is none the test is skipped, unless E2E_REQUIRED is set.
func browser(t testing.TB) playwright.Browser {
	t.Helper()
	b, err := chromium()
	if err == nil {
		return b
	}
	if os.Getenv("E2E_REQUIRED") != "" {
		t.Fatalf("browser: %s", err)
	}
	t.Skipf("browser: %s", err)
	return nil
}
