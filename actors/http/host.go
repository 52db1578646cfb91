package http

import "time"

// hostInfo is the answer of /v1/agent/host.
type hostInfo struct {
	Memory         *memoryInfo
	CPU            []cpuInfo
	Host           *systemInfo
	Disk           *diskInfo
	CollectionTime int64 // nanoseconds since 1970
	Errors         []string
}

type memoryInfo struct {
	Total       uint64  `json:"total"`
	Available   uint64  `json:"available"`
	Used        uint64  `json:"used"`
	UsedPercent float64 `json:"usedPercent"`
	Free        uint64  `json:"free"`
	Buffers     uint64  `json:"buffers"`
	Cached      uint64  `json:"cached"`
	SwapTotal   uint64  `json:"swapTotal"`
	SwapFree    uint64  `json:"swapFree"`
}

type cpuInfo struct {
	CPU       int     `json:"cpu"`
	VendorID  string  `json:"vendorId"`
	ModelName string  `json:"modelName"`
	Cores     int     `json:"cores"`
	Mhz       float64 `json:"mhz"`
}

type systemInfo struct {
	Hostname      string `json:"hostname"`
	Uptime        uint64 `json:"uptime"` // seconds
	BootTime      uint64 `json:"bootTime"`
	Procs         uint64 `json:"procs"`
	OS            string `json:"os"`
	KernelVersion string `json:"kernelVersion"`
	KernelArch    string `json:"kernelArch"`
}

type diskInfo struct {
	Path        string  `json:"path"`
	Total       uint64  `json:"total"`
	Free        uint64  `json:"free"`
	Used        uint64  `json:"used"`
	UsedPercent float64 `json:"usedPercent"`
	InodesTotal uint64  `json:"inodesTotal"`
	InodesFree  uint64  `json:"inodesFree"`
}

// agentHost answers with what the machine has.
func agentHost(*request) (*answer, error) {
	info := hostInfo{CollectionTime: time.Now().UnixNano()}
	info.collect()
	return with(info), nil
}
