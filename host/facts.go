package host

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Facts describe a machine. Every observation includes them.
type Facts struct {
	Hostname       string
	OS             string // os-release's ID: "debian"
	OSName         string // os-release's PRETTY_NAME
	Version        string // os-release's VERSION_ID: "12"
	Codename       string // os-release's VERSION_CODENAME: "bookworm"
	Kernel         string // release: "6.12.47+rpt-rpi-2712"
	Arch           string // machine of uname(2): "aarch64", "x86_64"
	Model          string // of the board, from the device tree; empty if there is none
	MachineID      string
	BootID         string // changes at every boot
	Cmdline        string // of the running kernel
	Controllers    string // of cgroup v2, separated by spaces; empty if it is not mounted
	Memory         int64  // bytes
	Swap           int64  // bytes
	Uptime         time.Duration
	TimeInSync     bool // systemd-timesyncd has set the clock since the boot
	RebootRequired bool // a package asked for a reboot: /run/reboot-required exists
}

// RaspberryPi reports whether the board's model is a Raspberry Pi.
func (f Facts) RaspberryPi() bool { return strings.Contains(f.Model, "Raspberry Pi") }

// DebianArch returns Debian's name of the architecture, such as "arm64" for "aarch64", or Arch
// itself if it knows no other.
func (f Facts) DebianArch() string {
	switch f.Arch {
	case "aarch64":
		return "arm64"
	case "x86_64":
		return "amd64"
	case "armv7l":
		return "armhf"
	}
	return f.Arch
}

// readFacts parses the output of ask_facts and, if it is included, ask_clock.
func readFacts(text string) (f Facts, now time.Time) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		for _, kb := range []struct {
			prefix string
			to     *int64
		}{{"MemTotal:", &f.Memory}, {"SwapTotal:", &f.Swap}} {
			if rest, ok := strings.CutPrefix(line, kb.prefix); ok {
				n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
				*kb.to = n << 10
			}
		}
		key, value, _ := strings.Cut(line, "=")
		unquoted := strings.Trim(value, `"'`)
		switch key {
		case "boot_id":
			f.BootID = value
		case "hostname":
			f.Hostname = value
		case "kernel":
			f.Kernel = value
		case "uptime":
			up, _, _ := strings.Cut(value, " ")
			f.Uptime = parseSeconds(up)
		case "cmdline":
			f.Cmdline = value
		case "controllers":
			f.Controllers = value
		case "machine_id":
			f.MachineID = value
		case "model":
			f.Model = value
		case "arch":
			f.Arch = value
		case "synchronized":
			f.TimeInSync = value == "yes"
		case "reboot_required":
			f.RebootRequired = value == "yes"
		case "os_ID":
			f.OS = unquoted
		case "os_VERSION_ID":
			f.Version = unquoted
		case "os_VERSION_CODENAME":
			f.Codename = unquoted
		case "os_PRETTY_NAME":
			f.OSName = unquoted
		case "now":
			s, frac, _ := strings.Cut(value, ".")
			sec, _ := strconv.ParseInt(s, 10, 64)
			nsec, _ := strconv.ParseInt(frac, 10, 64)
			now = time.Unix(sec, nsec)
		}
	}
	return f, now
}

// parseSeconds parses seconds with a fraction; 0 if they are out of range.
func parseSeconds(s string) time.Duration {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > 1e9 {
		return 0
	}
	return time.Duration(f * float64(time.Second))
}

// parseUint parses a number that a script printed; 0 if it printed nothing.
func parseUint(s string, base int) uint64 {
	n, _ := strconv.ParseUint(s, base, 64)
	return n
}
