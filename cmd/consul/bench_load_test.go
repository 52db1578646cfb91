package main

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

const (
	benchRounds  = 3 // of each figure; the median counts
	benchFor     = 700 * time.Millisecond
	benchWarmUp  = 150 * time.Millisecond
	benchReaders = 32
)

// An op does one piece of work, for one client.
type op func() error

// pace is how fast work was done.
type pace struct {
	rate float64 // a second
	cost float64 // CPU time that the server took for each, in µs; 0: not known
}

// drive has clients do their work, all at the same time. connect makes the op of the
// client of that number, pid is the process that serves them.
func drive(t *testing.T, pid, clients int, connect func(client int) (op, func())) pace {
	t.Helper()
	var done, failed atomic.Int64
	var first atomic.Pointer[error]
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i := range clients {
		work, end := connect(i)
		all.Go(func() {
			defer end()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := work(); err != nil {
					failed.Add(1)
					first.CompareAndSwap(nil, &err)
					return
				}
				done.Add(1)
			}
		})
	}
	<-time.After(benchWarmUp)
	from, began, cpu := done.Load(), time.Now(), cpuTime(pid)
	<-time.After(benchFor)
	n, took := float64(done.Load()-from), time.Since(began)
	cpu = cpuTime(pid) - cpu
	close(stop)
	all.Wait()
	if failed.Load() > 0 {
		t.Fatalf("%d of %d clients failed: %v", failed.Load(), clients, *first.Load())
	}
	return pace{rate: n / took.Seconds(), cost: float64(cpu.Microseconds()) / n}
}

// cpuTime returns how much CPU time a process has had; 0 where the system does not
// tell.
func cpuTime(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	var user, system int64 // in ticks, of which every Linux has 100 a second
	_, fields, _ := strings.Cut(string(stat), ") ")
	fmt.Sscanf(fields, "%s %d %d %d %d %d %d %d %d %d %d %d %d", // see proc(5)
		new(string), new(int), new(int), new(int), new(int), new(int), new(int), new(int), new(int), new(int), new(int), &user, &system) //nolint:errcheck // then it is 0
	return time.Duration(user+system) * 10 * time.Millisecond
}

// median measures several things in turns, so that what else the machine does
// happens to all of them, and returns the median of each.
func median(measure ...func() pace) []pace {
	got := make([][]pace, len(measure))
	for range benchRounds {
		for i, m := range measure {
			got[i] = append(got[i], m())
		}
	}
	out := make([]pace, len(measure))
	for i, all := range got {
		slices.SortFunc(all, func(a, b pace) int { return cmp.Compare(a.cost, b.cost) })
		out[i].cost = all[len(all)/2].cost
		slices.SortFunc(all, func(a, b pace) int { return cmp.Compare(a.rate, b.rate) })
		out[i].rate = all[len(all)/2].rate
	}
	return out
}

// overHTTP returns clients that send a request over a connection of their own and
// read the answer, with as little work as that takes: the load and the agent share
// a machine. next returns the request of a client.
func overHTTP(t *testing.T, addr string, next func(client int) func(buf []byte) []byte) func(int) (op, func()) {
	return func(client int) (op, func()) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		in, request := bufio.NewReaderSize(conn, 32<<10), next(client)
		var buf []byte
		return func() error {
			buf = request(buf[:0])
			if _, err := conn.Write(buf); err != nil {
				return err
			}
			return skipAnswer(in)
		}, func() { conn.Close() }
	}
}

// getting is the request that all clients send.
func getting(path string) func(int) func([]byte) []byte {
	return func(int) func([]byte) []byte {
		return func(buf []byte) []byte { return fmt.Appendf(buf, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", path) }
	}
}

// putting is a request whose path and body are new each time.
func putting(path func(client, n int) string, body func(client, n int) string) func(int) func([]byte) []byte {
	return func(client int) func([]byte) []byte {
		n := 0
		return func(buf []byte) []byte {
			n++
			b := body(client, n)
			return fmt.Appendf(buf, "PUT %s HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n%s", path(client, n), len(b), b)
		}
	}
}

// skipAnswer reads an answer and throws it away.
func skipAnswer(in *bufio.Reader) error {
	status, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("answered %q", status)
	}
	length := -1
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if n, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(n))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return fmt.Errorf("an answer without a length")
	}
	_, err = in.Discard(length)
	return err
}

// overDNS returns clients that ask a question over UDP.
func overDNS(t *testing.T, addr string, question []byte) func(int) (op, func()) {
	return func(int) (op, func()) {
		conn, err := net.Dial("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(30 * time.Second)) //nolint:errcheck // it has one
		buf := make([]byte, 4096)
		return func() error {
			if _, err := conn.Write(question); err != nil {
				return err
			}
			n, err := conn.Read(buf)
			if err == nil && (n < 12 || buf[3]&0xf != dns.RcodeSuccess || buf[7] == 0) {
				err = fmt.Errorf("answered % x", buf[:n])
			}
			return err
		}, func() { conn.Close() }
	}
}

// question returns the packet that asks for all there is, and the answer to it.
func question(t *testing.T, addr, name string, qtype uint16, records int) (packet, answer []byte) {
	t.Helper()
	q := new(dns.Msg)
	q.SetQuestion(name, qtype)
	q.SetEdns0(4096, false)
	client := &dns.Client{UDPSize: 4096, Timeout: 10 * time.Second}
	got, _, err := client.Exchange(q, addr)
	if err != nil || len(got.Answer) != records || got.Truncated {
		t.Fatalf("%s: %v, %v; want %d records", name, got, err, records)
	}
	if packet, err = q.Pack(); err != nil {
		t.Fatal(err)
	}
	if answer, err = got.Pack(); err != nil {
		t.Fatal(err)
	}
	return packet, answer
}

// syncs returns how often per second the disk below dir takes a small write, one
// after the other.
func syncs(t *testing.T, dir string) func() pace {
	return func() pace {
		f, err := os.Create(filepath.Join(dir, "bench-sync"))
		if err != nil {
			t.Fatal(err)
		}
		defer os.Remove(f.Name())
		defer f.Close()
		return drive(t, os.Getpid(), 1, func(int) (op, func()) {
			line := bytes.Repeat([]byte("x"), 200)
			return func() error {
				if _, err := f.Write(line); err != nil {
					return err
				}
				return f.Sync()
			}, func() {}
		})
	}
}
