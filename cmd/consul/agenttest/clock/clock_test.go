package clock

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain is also the process whose clock is set: it says what it sees of both
// clocks, whenever it is asked.
func TestMain(m *testing.M) {
	if os.Getenv("CLOCK_TELL") == "" {
		os.Exit(m.Run())
	}
	began := time.Now()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		now := time.Now()
		fmt.Println(now.Unix(), int64(now.Sub(began).Seconds()))
	}
}

// TestSet sets the clock of another process, forward and backward, while this one
// keeps its own.
func TestSet(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CLOCK_TELL=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	lines := bufio.NewScanner(out)
	for _, offset := range []time.Duration{0, time.Hour, -24 * time.Hour, 0} {
		switch err := Set(cmd.Process.Pid, offset); {
		case errors.Is(err, ErrUnsupported), errors.Is(err, os.ErrPermission):
			t.Logf("%v; nothing was shown", err)
			return
		case err != nil:
			t.Fatal(err)
		}
		if _, err := fmt.Fprintln(in); err != nil || !lines.Scan() {
			t.Fatal(err, lines.Err())
		}
		words := strings.Fields(lines.Text())
		wall, _ := strconv.ParseInt(words[0], 10, 64)
		lived, _ := strconv.ParseInt(words[1], 10, 64)
		if d := time.Duration(wall-time.Now().Unix()) * time.Second; d < offset-time.Minute || d > offset+time.Minute {
			t.Errorf("its clock differs by %v, want %v", d, offset)
		}
		if lived < 0 || lived > 600 {
			t.Errorf("it has lived for %d s by its monotonic clock", lived)
		}
	}
}
