package doctor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// measure gives what bounds a process, and the disk of a folder.
func measure(pid int, dir string) (m Machine) {
	m.Files, m.Open = processLimit(pid, "Max open files"), openFiles(pid)
	m.Memory, m.MemoryBy = freeMemory(), "free memory"
	if left, bounded := groupMemory(pid); bounded && (m.Memory == 0 || left < m.Memory) {
		m.Memory, m.MemoryBy = max(1, left), "what is left of its container's or service's memory"
	}
	if limit := processLimit(pid, "Max address space"); limit > 0 {
		if left := limit - addressSpace(pid); m.Memory == 0 || left < m.Memory {
			m.Memory, m.MemoryBy = max(1, left), "what is left of its limit of address space"
		}
	}
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) == nil {
		m.Free, m.All = s.Bavail*uint64(s.Bsize), s.Blocks*uint64(s.Bsize)
		m.FreeNames, m.AllNames = s.Ffree, s.Files
	}
	return m
}

// processLimit gives a limit in force for a process, 0 when there is none or it
// is not known.
func processLimit(pid int, name string) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if fields := strings.Fields(rest); len(fields) > 0 {
				n, _ := strconv.Atoi(fields[0]) // "unlimited" is 0
				return n
			}
		}
	}
	return 0
}

// openFiles counts the files that a process has open, 0 when that is another
// user's affair.
func openFiles(pid int) (n int) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		return int(info.Size()) // kernels from 6.2 count themselves
	}
	for {
		names, err := f.Readdirnames(4096)
		if n += len(names); err != nil {
			return n
		}
	}
}

// addressSpace gives the bytes of address space that a process has taken.
func addressSpace(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	pages, _ := strconv.Atoi(first)
	return pages * os.Getpagesize()
}

// freeMemory gives the machine's bytes that could be used, 0 when that is not
// known.
func freeMemory() int {
	kilobytes, _ := valueIn("/proc/meminfo", "MemAvailable:")
	return kilobytes << 10
}

// valueIn finds the number that follows a word at the beginning of a line.
func valueIn(file, word string) (n int, found bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == word {
			n, err = strconv.Atoi(fields[1])
			return n, err == nil
		}
	}
	return 0, false
}

// hierarchy is a mounted hierarchy of control groups that bounds memory.
type hierarchy struct {
	version     int    // of control groups, 1 or 2
	root, mount string // the group that is at the mount point, and the mount point
}

// groupMemory gives what is left of the memory that the control groups of a
// process allow it, of the tightest; as a container or a service has them.
func groupMemory(pid int) (left int, bounded bool) {
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return 0, false
	}
	for _, h := range hierarchies() {
		group, ok := h.group(string(groups))
		if !ok {
			continue
		}
		// A group that is seen from inside of a container may lie outside of it.
		inside, err := filepath.Rel(h.root, group)
		if err != nil || inside == ".." || strings.HasPrefix(inside, "../") {
			inside = "."
		}
		for dir := filepath.Join(h.mount, inside); ; dir = filepath.Dir(dir) {
			if n, ok := h.left(dir); ok && (!bounded || n < left) {
				left, bounded = n, true
			}
			if dir == h.mount || len(dir) <= len(h.mount) {
				break
			}
		}
	}
	return left, bounded
}

// hierarchies finds those that are mounted.
func hierarchies() (all []hierarchy) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		// 36 35 98:0 /root /mount options … - type source options
		place, kind, _ := strings.Cut(line, " - ")
		at, what := strings.Fields(place), strings.Fields(kind)
		if len(at) < 5 || len(what) < 3 {
			continue
		}
		switch {
		case what[0] == "cgroup2":
			all = append(all, hierarchy{2, at[3], at[4]})
		case what[0] == "cgroup" && strings.Contains(","+what[2]+",", ",memory,"):
			all = append(all, hierarchy{1, at[3], at[4]})
		}
	}
	return all
}

// group finds a process's group of this hierarchy in its list of groups.
func (h hierarchy) group(list string) (path string, ok bool) {
	for line := range strings.Lines(list) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		if h.version == 2 && parts[1] == "" || h.version == 1 && strings.Contains(","+parts[1]+",", ",memory,") {
			return parts[2], true
		}
	}
	return "", false
}

// unbounded is above any limit of memory; the first version of control groups
// writes a number of that size where there is none.
const unbounded = 1 << 60

// left gives what a group has left; files that the kernel may drop count as
// free.
func (h hierarchy) left(dir string) (n int, ok bool) {
	limits, used, droppable := []string{"memory.max", "memory.high"}, "memory.current", "inactive_file"
	if h.version == 1 {
		limits, used, droppable = []string{"memory.limit_in_bytes"}, "memory.usage_in_bytes", "total_inactive_file"
	}
	limit := unbounded
	for _, name := range limits {
		if n, err := number(filepath.Join(dir, name)); err == nil {
			limit = min(limit, n)
		}
	}
	taken, err := number(filepath.Join(dir, used))
	if limit == unbounded || err != nil {
		return 0, false
	}
	spare, _ := valueIn(filepath.Join(dir, "memory.stat"), droppable)
	return limit - taken + spare, true
}

// number reads a file that holds one.
func number(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// full reports whether an error says that a disk, or a share of it, is full.
func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// strange gives the ids of the folder's owner and of the user that a process
// runs as, where that user may not write there.
func strange(pid int, info os.FileInfo) (owner, user int, yes bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	user, known := valueIn(fmt.Sprintf("/proc/%d/status", pid), "Uid:")
	if !ok || !known || user == 0 || uint32(user) == s.Uid || info.Mode().Perm()&0o022 != 0 {
		return 0, 0, false
	}
	return int(s.Uid), user, true
}
