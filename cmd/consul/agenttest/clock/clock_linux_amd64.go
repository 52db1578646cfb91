package clock

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// code takes the place of the vDSO's clock_gettime(clock, *timespec). An offset in
// seconds follows it.
var code = []byte{
	0xb8, 0xe4, 0x00, 0x00, 0x00, // mov  eax, 228 (clock_gettime)
	0x0f, 0x05, // syscall
	0x85, 0xff, // test edi, edi
	0x75, 0x0a, // jne  done, unless it is CLOCK_REALTIME
	0x48, 0x8b, 0x0d, 0x06, 0x00, 0x00, 0x00, // mov  rcx, [offset]
	0x48, 0x01, 0x0e, // add  [rsi], rcx
	0xc3,       // done: ret
	0x90, 0x90, // up to the offset
}

// attempts is how often Set stops the process until no thread is in the code that
// it is about to change.
const attempts = 100

// Set makes the wall clock of a process differ from the machine's by whole seconds.
// It stops the process for a moment.
func Set(pid int, offset time.Duration) error {
	from, to, err := vdso(pid)
	if err != nil {
		return fmt.Errorf("set the clock of process %d: %w", pid, err)
	}
	for range attempts {
		done, err := trySet(pid, from, to, offset)
		if err != nil {
			return fmt.Errorf("set the clock of process %d: %w", pid, err)
		}
		if done {
			return nil
		}
	}
	return fmt.Errorf("set the clock of process %d: it is asking for the time whenever it is stopped", pid)
}

// trySet stops the process and changes its vDSO, unless one of its threads is
// there.
func trySet(pid int, from, to uint64, offset time.Duration) (done bool, err error) {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return false, err
	}
	defer syscall.Kill(pid, syscall.SIGCONT) //nolint:errcheck // it has ended, then
	where := running
	for until := time.Now().Add(stopTimeout); where == running && time.Now().Before(until); {
		if where, err = threads(pid, from, to); err != nil {
			return false, err
		}
	}
	if where != elsewhere {
		return false, nil
	}
	mem, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer mem.Close()
	page := make([]byte, to-from)
	if _, err := mem.ReadAt(page, int64(from)); err != nil {
		return false, err
	}
	at, err := find(page)
	if err != nil {
		return false, err
	}
	patch := binary.LittleEndian.AppendUint64(bytes.Clone(code), uint64(offset/time.Second))
	_, err = mem.WriteAt(patch, int64(from+at))
	return err == nil, err
}

// vdso returns where in a process the vDSO is.
func vdso(pid int) (from, to uint64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(line, "[vdso]\n") {
			_, err := fmt.Sscanf(line, "%x-%x ", &from, &to)
			return from, to, err
		}
	}
	return 0, 0, fmt.Errorf("it has no vDSO")
}

// find returns where in the vDSO clock_gettime begins.
func find(page []byte) (at uint64, err error) {
	file, err := elf.NewFile(bytes.NewReader(page))
	if err != nil {
		return 0, err
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return 0, err
	}
	for _, s := range symbols {
		if s.Name == "__vdso_clock_gettime" && s.Size >= uint64(len(code)+8) {
			return s.Value, nil
		}
	}
	return 0, fmt.Errorf("its vDSO has no clock_gettime")
}

// place is where the threads of a process are.
type place int

const (
	elsewhere place = iota // all of them
	inside                 // one is in the vDSO
	running                // one has not stopped yet
)

// stopTimeout is how long the threads of a process may take to stop.
const stopTimeout = time.Second

// threads says where the threads of a process are, which has been told to stop.
func threads(pid int, from, to uint64) (place, error) {
	all, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	if err != nil {
		return 0, err
	}
	where := elsewhere
	for _, thread := range all {
		text, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		words := strings.Fields(string(text))
		last := words[len(words)-1] // the program counter, or "running"
		pc, err := strconv.ParseUint(strings.TrimPrefix(last, "0x"), 16, 64)
		switch {
		case err != nil:
			return running, nil
		case from <= pc && pc < to:
			where = inside
		}
	}
	return where, nil
}
