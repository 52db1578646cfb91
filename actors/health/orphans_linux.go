package health

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// family is the children of this process. A program may start others that leave its
// process group, as a daemon does. When their parents have ended they become children
// of this process, which is made their reaper for that, and each run is marked in the
// environment of its program, which those that it starts have from it. So it can be
// told whose they are.
//
// One escapes: who both leaves the group and begins with another environment (env -i,
// sudo), or writes over it, unless somebody with a mark is seen in its session. It goes
// on, and is buried when it ends.
type family struct {
	token    string        // differs from that of any other process
	patience time.Duration // with those who were killed
	every    time.Duration // between two looks at those who are left

	// The lock holds from a look at a child until it is killed or buried: nobody but
	// who holds it buries a child in a group of its own, so none of their numbers can
	// be another's by then.
	mu      sync.Mutex
	runs    int
	running map[int]string // programs that somebody waits for, by PID, with their marks
	doomed  map[int]bool   // who was killed or is expected to show who it is, by PID; true: it is waited for
	look    *time.Timer    // for the next look; nil: none is due
}

// kin is the one family that there is: children are those of the process, whichever
// agent in it has started them.
var kin = &family{token: rand.Text(), patience: leftover, every: time.Minute, running: map[int]string{}, doomed: map[int]bool{}}

// markName is the variable that says which run a process belongs to.
const markName = "CONSUL_CHECK_RUN"

// adopts makes this process the reaper of orphans. It does not where it could not see
// them: without /proc, or with that of others.
var adopts = sync.OnceValue(func() bool {
	self, err := os.Readlink("/proc/self")
	return err == nil && self == strconv.Itoa(os.Getpid()) && unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == nil
})

// start starts a program.
func (f *family) start(cmd *exec.Cmd) error {
	if !adopts() {
		return cmd.Start()
	}
	f.mu.Lock() // until it is known, it would be taken for an orphan
	defer f.mu.Unlock()
	f.runs++
	mark := fmt.Sprintf("%s.%d", f.token, f.runs)
	cmd.Env = append(cmd.Environ(), markName+"="+mark)
	if err := cmd.Start(); err != nil {
		return err
	}
	f.running[cmd.Process.Pid] = mark
	return nil
}

// wait takes leave of a program that has ended, and of what it has left behind.
func (f *family) wait(cmd *exec.Cmd) error {
	if !adopts() {
		return cmd.Wait()
	}
	f.mu.Lock()
	err := cmd.Wait()
	delete(f.running, cmd.Process.Pid)
	f.mu.Unlock()
	f.clear()
	return err
}

// clear kills and buries those whose run is over until there is nobody left, since who
// is killed leaves children of its own. Who does not end even so, as in a disk that
// hangs, is waited for once, and buried at a later look.
func (f *family) clear() {
	estates := map[int]bool{}
	deadline := time.Now().Add(f.patience)
	again, left := f.sweep(estates)
	for pause := time.Millisecond; again && time.Now().Before(deadline); pause = min(2*pause, leftover/20) {
		<-time.After(pause)
		again, left = f.sweep(estates)
	}
	if again || left {
		f.lookLater(again)
	}
}

// sweep looks at the orphans once. It says whether it is worth looking again soon, and
// whether somebody is left to look at some day.
func (f *family) sweep(estates map[int]bool) (again, left bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &customs{group: unix.Getpgrp(), ours: f.token, running: map[string]bool{}, estates: estates, doomed: f.doomed}
	for _, mark := range f.running {
		c.running[mark] = true
	}
	own := session()
	for _, pid := range candidates() {
		o, there := look(pid)
		if _, ours := f.running[pid]; ours || !there {
			continue
		}
		switch c.judge(o) {
		case bury:
			buried := f.bury(pid)
			again, left = again || buried, left || !buried // what it has left behind is ours now
			continue
		case kill:
			_ = syscall.Kill(pid, syscall.SIGKILL) // an error: it is another user's now
			if o.session != own {
				estates[o.session] = true
			}
			f.expect(pid)
		case await:
			f.expect(pid)
		case spare:
		}
		again = again || f.doomed[pid]
		left = left || o.group != c.group
	}
	return again, left
}

// expect notes that there will be news of a child.
func (f *family) expect(pid int) {
	if _, known := f.doomed[pid]; !known {
		f.doomed[pid] = true
	}
}

// bury has the system forget a child. Of one whose first thread alone has ended there
// is nothing to bury yet.
func (f *family) bury(pid int) bool {
	if got, _ := unix.Wait4(pid, nil, unix.WNOHANG, nil); got != pid {
		return false
	}
	delete(f.doomed, pid)
	return true
}

// lookLater has somebody look again at those who are left: one that is spared ends some
// day, and there may be no further run then. inVain says that they were waited for,
// which nobody does again.
func (f *family) lookLater(inVain bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for pid := range f.doomed {
		f.doomed[pid] = f.doomed[pid] && !inVain
	}
	if f.look != nil {
		return
	}
	f.look = time.AfterFunc(f.every, func() {
		f.mu.Lock()
		f.look = nil
		f.mu.Unlock()
		f.clear()
	})
}

func session() int {
	id, _ := unix.Getsid(0)
	return id
}

// candidates returns the PIDs among which all children of this process are. Where the
// kernel was built without the files that list them, it is everybody's.
func candidates() (pids []int) {
	if errors.Is(unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil), unix.ECHILD) {
		return nil // which is mostly so, and costs nothing
	}
	var names []string
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list) // a thread that has ended has none
		names = append(names, strings.Fields(string(text))...)
	}
	if len(lists) == 0 {
		names = everybody()
	}
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func everybody() []string {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	return names
}

// Where a field of /proc/PID/stat is, behind the name; see proc_pid_stat(5).
const (
	statState   = 0
	statParent  = 1
	statGroup   = 2
	statSession = 3
	statEnvEnd  = 48 // where the environment ends in its memory; 0: that cannot be seen
	statFields  = 49 // so many are there at least
)

// look returns what can be seen of a process; there is false unless it is a child of
// this one. No mark is believed only when it was missing three times: between the two
// files that are read, a process may begin a program, or end.
func look(pid int) (o orphan, there bool) {
	for range 3 {
		o, there = glance(pid)
		if !there || o.dead || o.veiled || o.mark != "" {
			break
		}
	}
	return o, there
}

func glance(pid int) (o orphan, there bool) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return o, false
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])) // the name may hold anything
	if len(fields) < statFields || fields[statParent] != strconv.Itoa(os.Getpid()) {
		return o, false
	}
	o.pid, o.mark = pid, markOf(dir)
	o.group, _ = strconv.Atoi(fields[statGroup]) // what the kernel writes is a number
	o.session, _ = strconv.Atoi(fields[statSession])
	o.dead, o.veiled = fields[statState] == "Z" || fields[statState] == "X", fields[statEnvEnd] == "0"
	return o, true
}

// markOf returns the mark in the environment that a process has begun with.
func markOf(dir string) string {
	text, _ := os.ReadFile(dir + "/environ") // of the dead there is none, and of another user's none to be seen
	for variable := range strings.SplitSeq(string(text), "\x00") {
		if mark, ok := strings.CutPrefix(variable, markName+"="); ok {
			return mark
		}
	}
	return ""
}
