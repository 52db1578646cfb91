package http

import (
	"bufio"
	"bytes"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// collect fills in what the kernel says. What cannot be read is left out and named.
func (h *hostInfo) collect() {
	for _, read := range []func() error{h.readMemory, h.readCPU, h.readSystem, h.readDisk} {
		if err := read(); err != nil {
			h.Errors = append(h.Errors, err.Error())
		}
	}
}

func (h *hostInfo) readMemory() error {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return err
	}
	kib := map[string]uint64{}
	for key, value := range pairs(text) {
		number, _, _ := strings.Cut(value, " ")
		kib[key], _ = strconv.ParseUint(number, 10, 64) // 0 if it is no number
	}
	bytes := func(key string) uint64 { return kib[key] << 10 }
	m := &memoryInfo{
		Total: bytes("MemTotal"), Available: bytes("MemAvailable"), Free: bytes("MemFree"),
		Buffers: bytes("Buffers"), Cached: bytes("Cached"),
		SwapTotal: bytes("SwapTotal"), SwapFree: bytes("SwapFree"),
	}
	m.Used = m.Total - min(m.Total, m.Free+m.Buffers+m.Cached)
	m.UsedPercent = percent(m.Used, m.Total)
	h.Memory = m
	return nil
}

func (h *hostInfo) readCPU() error {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return err
	}
	h.CPU = []cpuInfo{}
	for key, value := range pairs(text) {
		if key == "processor" {
			n, _ := strconv.Atoi(value) // 0 if it is no number
			h.CPU = append(h.CPU, cpuInfo{CPU: n, Cores: 1})
		}
		if len(h.CPU) == 0 {
			continue
		}
		switch c := &h.CPU[len(h.CPU)-1]; key {
		case "vendor_id":
			c.VendorID = value
		case "model name":
			c.ModelName = value
		case "cpu MHz":
			c.Mhz, _ = strconv.ParseFloat(value, 64) // 0 if it is no number
		}
	}
	return nil
}

func (h *hostInfo) readSystem() error {
	var s unix.Sysinfo_t
	if err := unix.Sysinfo(&s); err != nil {
		return err
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err
	}
	h.Host = &systemInfo{
		Hostname:      unix.ByteSliceToString(u.Nodename[:]),
		Uptime:        uint64(s.Uptime),
		BootTime:      uint64(h.CollectionTime/1e9 - int64(s.Uptime)),
		Procs:         uint64(s.Procs),
		OS:            runtime.GOOS,
		KernelVersion: unix.ByteSliceToString(u.Release[:]),
		KernelArch:    unix.ByteSliceToString(u.Machine[:]),
	}
	return nil
}

func (h *hostInfo) readDisk() error {
	var s unix.Statfs_t
	if err := unix.Statfs("/", &s); err != nil {
		return err
	}
	size := uint64(s.Bsize)
	d := &diskInfo{
		Path: "/", Total: s.Blocks * size, Free: s.Bavail * size, Used: (s.Blocks - s.Bfree) * size,
		InodesTotal: s.Files, InodesFree: s.Ffree,
	}
	d.UsedPercent = percent(d.Used, d.Used+d.Free)
	h.Disk = d
	return nil
}

// pairs yields the lines "key : value" of a file below /proc.
func pairs(text []byte) func(yield func(key, value string) bool) {
	return func(yield func(key, value string) bool) {
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			key, value, ok := strings.Cut(lines.Text(), ":")
			if ok && !yield(strings.TrimSpace(key), strings.TrimSpace(value)) {
				return
			}
		}
	}
}

func percent(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}
