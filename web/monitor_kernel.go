package web

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"nightshift/views"
)

// Documented limits of what should not be there at all.
const (
	maxCores    = 1
	maxSegments = 2
)

// kernel reads what only the files of a Linux kernel say, below its folder /proc.
type kernel string

// numbers are the fields of a one-line file; none when it cannot be read.
func (k kernel) numbers(name string) (all []float64) {
	raw, err := os.ReadFile(filepath.Join(string(k), name))
	if err != nil {
		return nil
	}
	for field := range strings.FieldsSeq(string(raw)) {
		number, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return nil
		}
		all = append(all, number)
	}
	return all
}

// mostProcesses is how many there can be; 0: not known.
func (k kernel) mostProcesses() float64 {
	if limit := k.numbers("sys/kernel/pid_max"); len(limit) == 1 {
		return limit[0]
	}
	return 0
}

// indicators are the open files of the whole machine, shared memory that no process uses any more, and core files in these
// folders or where the kernel writes them; gaps say what cannot be known here.
func (k kernel) indicators(folders ...string) (all []views.Indicator, gaps []views.Gap) {
	if open := k.numbers("sys/fs/file-nr"); len(open) == 3 {
		all = append(all, within("all_files", "", open[0]-open[1], open[2], views.UnitNone))
	} else {
		gaps = append(gaps, views.Gap{Key: "all_files"})
	}
	if left, ok := k.leftSegments(); ok {
		all = append(all, views.Indicator{Key: "segments", Current: left, Max: maxSegments, Warning: 1, Alert: maxSegments + 1})
	} else {
		gaps = append(gaps, views.Gap{Key: "segments"})
	}
	raw, err := os.ReadFile(filepath.Join(string(k), "sys/kernel/core_pattern"))
	pattern := strings.TrimSpace(string(raw))
	switch {
	case err != nil:
		gaps = append(gaps, views.Gap{Key: "cores"})
	case strings.HasPrefix(pattern, "|"):
		gaps = append(gaps, views.Gap{Key: "cores_piped", Args: []any{strings.Fields(pattern[1:] + " ?")[0]}})
	default:
		if filepath.IsAbs(pattern) {
			folders = []string{filepath.Dir(pattern)}
		}
		found := coreFiles(filepath.Base(pattern), folders)
		all = append(all, views.Indicator{Key: "cores", Name: strings.Join(folders, " "), Current: found, Max: maxCores, Warning: maxCores, Alert: maxCores + 1})
	}
	return all, gaps
}

// leftSegments counts the segments of System V shared memory to which no process is attached: somebody died and left them.
func (k kernel) leftSegments() (left float64, ok bool) {
	raw, err := os.ReadFile(filepath.Join(string(k), "sysvipc/shm"))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(raw)) {
		if fields := strings.Fields(line); len(fields) > 6 && fields[0] != "key" && fields[6] == "0" {
			left++
		}
	}
	return left, true
}

// coreFiles counts the core files in folders by the pattern's name up to its first variable part. Without one the kernel
// may add a dot and the number of the process.
func coreFiles(pattern string, folders []string) (found float64) {
	fixed, _, varies := strings.Cut(pattern, "%")
	seen := map[string]bool{}
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil || seen[folder] {
			continue
		}
		seen[folder] = true
		for _, entry := range entries {
			rest, named := strings.CutPrefix(entry.Name(), fixed)
			_, err := strconv.Atoi(strings.TrimPrefix(rest, "."))
			if named && fixed != "" && entry.Type().IsRegular() && (rest == "" || varies || err == nil) {
				found++
			}
		}
	}
	return found
}
