package e2e_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/playwright-community/playwright-go"

	"nightshift/views/locale"
)

// TestScreenshot makes README's picture anew when asked to: UPDATE_SCREENSHOT=1 go test ./e2e -run Screenshot.
// Otherwise it only holds that the picture is there and small.
func TestScreenshot(t *testing.T) {
	t.Parallel()
	const picture, most = "screenshot.png", 400 << 10
	if os.Getenv("UPDATE_SCREENSHOT") != "" {
		p, d := operatorAt(t, locale.English)
		started(t, d, "cleanup")
		before := newestTask(t, d)
		order(t, d, "cleanup", "run")
		run := awaitTask(t, d, "cleanup", before, "completed")
		if err := p.SetViewportSize(1440, 1000); err != nil {
			t.Fatal(err)
		}
		p.open("/runs/" + strconv.FormatInt(run.ID, 10))
		p.sees("nms.broad_log")
		if _, err := p.Screenshot(playwright.PageScreenshotOptions{Path: playwright.String(picture)}); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Clean(picture))
	if err != nil {
		t.Fatalf("README's picture: %s", err)
	}
	if info.Size() > most {
		t.Errorf("README's picture: got %d bytes, want at most %d", info.Size(), most)
	}
}
