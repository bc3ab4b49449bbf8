package web

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"nightshift/views"
)

// fakeProc is a folder /proc with these files.
func fakeProc(t *testing.T, files map[string]string) kernel {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return kernel(dir)
}

// What the kernel's files say becomes indicators with the documented limits; what they do not say is told as a gap.
func TestKernelIndicators(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, name := range []string{"core", "core.4711", "core.txt", "score", "corelation"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const segments = "key shmid perms size cpid lpid nattch uid\n 1 2 600 56 27481 27488 6 101\n 3 4 600 56 1 2 0 101\n"
	k := fakeProc(t, map[string]string{"sys/fs/file-nr": "950\t50\t1000\n", "sys/kernel/pid_max": "32768\n", "sys/kernel/core_pattern": "core\n", "sysvipc/shm": segments})
	if got := k.mostProcesses(); got != 32768 {
		t.Errorf("most processes: got %v, want 32768", got)
	}
	all, gaps := k.indicators(folder, folder, "/no/such/folder")
	levels := map[string]string{}
	for _, i := range all {
		levels[i.Key] = i.Level()
	}
	for key, want := range map[string]string{"all_files": "alert", "segments": "warning", "cores": "alert"} {
		if levels[key] != want {
			t.Errorf("%s: got %q, want %s", key, levels[key], want)
		}
	}
	if at := slices.IndexFunc(all, func(i views.Indicator) bool { return i.Key == "cores" }); at < 0 || all[at].Current != 2 || len(gaps) != 0 {
		t.Errorf("got %+v with the gaps %v, want two core files, one named after a process, and no gap", all, gaps)
	}
	for pattern, want := range map[string]string{"|/usr/bin/crash %p": "cores_piped", "": "cores"} {
		files := map[string]string{"sys/kernel/core_pattern": pattern}
		if pattern == "" {
			files = nil
		}
		all, gaps := fakeProc(t, files).indicators(folder)
		var keys []string
		for _, g := range gaps {
			keys = append(keys, g.Key)
		}
		if len(all) != 0 || !slices.Equal(keys, []string{"all_files", "segments", want}) {
			t.Errorf("pattern %q: got %v and the gaps %v, want only gaps, %s among them", pattern, all, keys, want)
		}
	}
	absolute := fakeProc(t, map[string]string{"sys/kernel/core_pattern": filepath.Join(folder, "core.%p")})
	if all, _ := absolute.indicators("/elsewhere"); len(all) != 1 || all[0].Current != 2 || all[0].Name != folder {
		t.Errorf("a pattern with a folder: got %+v, want core.4711 and core.txt in it", all)
	}
}
