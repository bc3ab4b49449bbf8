package redirlog

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
)

// rawFile is a file of the log: its name is the id of its first line.
type rawFile struct {
	first uint64
	size  int64
}

// list finds the raw files of a folder, oldest first; what has another name is not ours. No folder is an empty log.
func list(dir string) ([]rawFile, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("raw log: %w", err)
	}
	var files []rawFile
	for _, entry := range entries {
		first, err := parseID("5" + entry.Name())
		if err != nil || fileName(first) != entry.Name() || !entry.Type().IsRegular() {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("raw log: %w", err)
		}
		files = append(files, rawFile{first, info.Size()})
	}
	slices.SortFunc(files, func(a, b rawFile) int { return cmp.Compare(a.first, b.first) })
	return files, nil
}

// Newest is the id of the last whole line of a folder, 0 when there is none.
func Newest(dir string) (uint64, error) {
	files, err := list(dir)
	if err != nil {
		return 0, err
	}
	for _, f := range slices.Backward(files) {
		id, err := f.newest(dir)
		if id > 0 || err != nil {
			return id, err
		}
	}
	return 0, nil
}

// newest looks from the end of a file for its last whole line; what a crash can leave behind it is shorter than a buffer.
func (f rawFile) newest(dir string) (uint64, error) {
	file, err := os.Open(filepath.Join(dir, fileName(f.first)))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("raw log: %w", err)
	}
	defer func() { _ = file.Close() }()
	from := max(0, f.size-2*bufferSize)
	tail, err := io.ReadAll(io.NewSectionReader(file, from, f.size-from))
	if err != nil {
		return 0, fmt.Errorf("raw log: %w", err)
	}
	for end := bytes.LastIndexByte(tail, '\n'); end >= 0; {
		begin := bytes.LastIndexByte(tail[:end], '\n')
		if id, ok := idOf(tail[begin+1 : end]); ok {
			return id, nil
		}
		end = begin
	}
	return 0, nil
}

// idOf reads the id at the begin of a line; the rest of the line is for Parse.
func idOf(line []byte) (uint64, bool) {
	if len(line) <= idForm || line[idForm] != '\t' {
		return 0, false
	}
	id, err := parseID(string(line[:idForm]))
	return id, err == nil
}

// Read gives the whole lines of a folder with ids greater than after, in their order, limit at most, each without its end.
// last is the id of the last of them. When there is none, it is after, or the newest id of the log where that is less: then
// after is no position in this log. A line that a crash cut short is passed over. Read may run beside the writer, in any
// process.
func Read(dir string, after uint64, limit int) (lines [][]byte, last uint64, err error) {
	files, err := list(dir)
	if err != nil {
		return nil, 0, err
	}
	// Lines greater than after begin in the last file whose first line is not.
	from := sort.Search(len(files), func(i int) bool { return files[i].first > after })
	for _, f := range files[max(0, from-1):] {
		if len(lines) >= limit {
			break
		}
		if lines, err = f.read(dir, after, limit, lines); err != nil {
			return nil, 0, err
		}
	}
	if len(lines) > 0 {
		last, _ = idOf(lines[len(lines)-1])
		return lines, last, nil
	}
	newest, err := Newest(dir)
	return nil, min(after, newest), err
}

// read adds lines of one file. A file that was purged meanwhile adds none.
func (f rawFile) read(dir string, after uint64, limit int, lines [][]byte) ([][]byte, error) {
	file, err := os.Open(filepath.Join(dir, fileName(f.first)))
	if errors.Is(err, fs.ErrNotExist) {
		return lines, nil
	}
	if err != nil {
		return nil, fmt.Errorf("raw log: %w", err)
	}
	defer func() { _ = file.Close() }()
	begin := f.find(file, after)
	reader := bufio.NewReaderSize(io.NewSectionReader(file, begin, f.size-begin), 64<<10)
	for len(lines) < limit {
		line, err := reader.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("raw log: %w", err)
		}
		if id, ok := idOf(line); ok && id > after && err == nil {
			lines = append(lines, bytes.Clone(line[:len(line)-1]))
		}
	}
	return lines, nil
}

// find halves the file until it knows a place shortly before the first line with an id greater than after. Only the end of
// a file can be broken, so what is no line counts as behind that place.
func (f rawFile) find(file io.ReaderAt, after uint64) int64 {
	const near = 16 * MaxLine
	low, high := int64(0), f.size
	window := make([]byte, 2*MaxLine)
	for high-low > near {
		middle := low + (high-low)/2
		n, _ := file.ReadAt(window, middle)
		end := bytes.IndexByte(window[:n], '\n')
		if end >= 0 {
			if id, ok := idOf(window[end+1 : n]); ok && id <= after {
				low = middle + int64(end) + 1
				continue
			}
		}
		high = middle
	}
	return low
}
