package health

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

var start = time.Unix(1_800_000_000, 0)

// judged feeds the output of the script to sections, and returns the findings by check. The answer takes
// a second to arrive.
func judged(t *testing.T, output string, err error) map[string]lab.Finding {
	t.Helper()
	found := map[string]lab.Finding{}
	s := &sections{sent: start, now: func() time.Time { return start.Add(time.Second) }, found: func(f lab.Finding) {
		if _, ok := found[f.Check]; ok {
			t.Errorf("%s is reported twice", f.Check)
		}
		found[f.Check] = f
	}}
	for chunk := range slices.Chunk([]byte(output), 7) { // it arrives in parts
		if _, err := s.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	s.end("pi1", err)
	return found
}

const dfHead = "Filesystem Type 1024-blocks Used Available Capacity Mounted on\n"

// TestJudge: the states that machines are found in.
func TestJudge(t *testing.T) {
	const ok, unknown, warning, bad = lab.VerdictOK, lab.VerdictUnknown, lab.VerdictWarning, lab.VerdictBad
	for name, c := range map[string]struct {
		section string
		check   string
		verdict lab.Verdict
		text    string
	}{
		"in the round trip":        {"clock\n1800000000.500000000\n", clock, ok, "agrees with ours"},
		"a little off":             {"clock\n1799999999.200000000\n", clock, ok, "0.8 s behind ours"},
		"seconds off":              {"clock\n1800000013.000000000\n", clock, warning, "12.0 s ahead of ours"},
		"no battery, no network":   {"clock\n1.5\n", clock, bad, "days"},
		"date without nanoseconds": {"clock\n1800000000.%N\n", clock, ok, "agrees"},
		"no date":                  {"clock\n", clock, unknown, ""},
		"negative":                 {"clock\n-5.0\n", clock, unknown, ""},
		"just booted":              {"uptime\n12.50 40.00\n", uptime, ok, "up for 12.0 s"},
		"booted long ago":          {"uptime\n1000000.00 1.00\n", uptime, ok, "up for 11 days 13 h"},
		"no uptime":                {"uptime\n", uptime, unknown, ""},
		"not a number":             {"uptime\nNaN\n", uptime, unknown, ""},
		"enough memory": {"memory\nMemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n",
			memory, ok, "3.8 GiB of 7.6 GiB"},
		"little memory": {"memory\nMemTotal: 1000000 kB\nMemAvailable: 90000 kB\n",
			memory, warning, "87.9 MiB"},
		"hardly any memory": {"memory\nMemTotal: 1000000 kB\nMemAvailable: 20000 kB\n",
			memory, bad, "19.5 MiB"},
		"killed for lack of memory": {"memory\nMemTotal: 8 kB\nMemAvailable: 8 kB\noom_kill 1\n",
			memory, warning, "killed 1 process for"},
		"killed again and again": {"memory\nMemTotal: 8 kB\nMemAvailable: 8 kB\noom_kill 7\n",
			memory, warning, "killed 7 processes"},
		"more available than there": {"memory\nMemTotal: 8 kB\nMemAvailable: 9 kB\n", memory, unknown, ""},
		"undervoltage": {"power\nundervoltage 1\ntemperature 51540\n",
			power, bad, "the voltage is too low, 51 °C"},
		"good power": {"power\nundervoltage 0\ntemperature 51540\n",
			power, ok, "enough voltage, 51 °C"},
		"hot":                        {"power\ntemperature 82000\n", power, warning, "82 °C"},
		"no reboot":                  {"reboot\n", reboot, ok, "not needed"},
		"a reboot, nobody knows why": {"reboot\nrequired\n", reboot, warning, "required by a package"},
		"a reboot for packages": {"reboot\nrequired\npackage libc6\npackage dbus\npackage libc6\n",
			reboot, warning, "required by libc6, dbus"},
		"the kernel was replaced": {"reboot\nmodules 6.12.25+rpt\n",
			reboot, warning, "6.12.25+rpt, was replaced"},
		"a hostile package": {"reboot\nrequired\npackage a\x1b[2Jb\n", reboot, warning, `"a\x1b[2Jb"`},
		"room on the disk": {"disk\n" + dfHead + "/dev/root ext4 60000000 20000000 40000000 34% /\n",
			diskSpace, ok, "/ 34% used, 38.1 GiB free"},
		"a disk that fills": {"disk\n" + dfHead + "/dev/root ext4 60000000 52000000 8000000 87% /\n",
			diskSpace, warning, "/ 87% used"},
		"a full disk": {"disk\n" + dfHead + "/dev/root ext4 60000000 60000000 0 100% /\n",
			diskSpace, bad, "/ 100% used, 0 B free"},
		"a big disk has room at 90 %": {"disk\n" + dfHead + "/dev/sda1 ext4 4000000000 3600000000 400000000 90% /mnt\n",
			diskSpace, ok, "381 GiB free"},
		"a small full one": {"disk\n" + dfHead + "/dev/root ext4 9 1 8 20% /\n/dev/sda1 vfat 500 490 10 98% /boot/firmware\n",
			diskSpace, bad, "/boot/firmware 98% used, 10.0 KiB free; / "},
		"what is full by nature": {"disk\n" + dfHead +
			"/dev/root ext4 9 1 8 20% /\n/dev/loop0 squashfs 9 9 0 100% /snap/x\ntmpfs tmpfs 9 9 0 100% /run\n",
			diskSpace, ok, "/ 12% used"},
		"bind mounts are one disk": {"disk\n" + dfHead +
			"/dev/sda1 ext4 9 1 8 20% /var/lib/kubelet/pods/x\n/dev/sda1 ext4 9 1 8 20% /mnt\n",
			diskSpace, ok, "/mnt 12% used, 8.0 KiB free"},
		"an overlay is the root": {"disk\n" + dfHead + "overlay overlay 90000000 1000000 89000000 2% /\n",
			diskSpace, ok, "/ 2% used"},
		"a space in the path": {"disk\n" + dfHead + "/dev/sda1 ext4 100 100 0 100% /media/My Disk\n",
			diskSpace, bad, "/media/My Disk 100%"},
		"df failed": {"disk\n", diskSpace, unknown, ""},
		"the root became read-only": {"mounts\n/dev/root / ext4 ro,relatime 0 0\ncheck fstab\nPARTUUID=1 / ext4 defaults 0 1\n",
			fileSystems, bad, "/ can only"},
		"a data disk did": {"mounts\n/dev/root / ext4 rw 0 0\n/dev/sda1 /mnt ext4 ro 0 0\n" +
			"check fstab\nUUID=2 /mnt ext4 defaults 0 1\n",
			fileSystems, bad, "/mnt can only"},
		"it is wanted so": {"mounts\n/dev/root / ext4 rw 0 0\n/dev/sda1 /mnt ext4 ro 0 0\n" +
			"check fstab\nUUID=2 /mnt ext4 noatime,ro 0 1\n",
			fileSystems, ok, ""},
		"somebody mounted it so": {"mounts\n/dev/root / ext4 rw 0 0\n/dev/sda1 /mnt ext4 ro 0 0\n" +
			"check fstab\n#UUID=2 /mnt ext4 defaults 0 1\n",
			fileSystems, ok, ""},
		"a mount over another": {"mounts\n/dev/root / ext4 rw 0 0\noverlay / overlay ro 0 0\ncheck fstab\n",
			fileSystems, bad, "/ can only"},
		"an overlay over read-only": {"mounts\n/dev/root / ext4 ro 0 0\noverlay / overlay rw 0 0\ncheck fstab\n",
			fileSystems, ok, ""},
		"no mounts":      {"mounts\ncheck fstab\n", fileSystems, unknown, ""},
		"in step":        {"time\nyes\n", timeSource, ok, "synchronised"},
		"not in step":    {"time\nno\n", timeSource, warning, "not synchronised"},
		"no timedatectl": {"time\n\n", timeSource, unknown, ""},
		"all units run":  {"units\nsystem running\n", units, ok, "none failed"},
		"a failed unit": {"units\nsystem degraded\nsmartd.service loaded failed failed SMART\n",
			units, bad, "smartd.service failed"},
		"many failed units": {"units\nsystem degraded\n" + strings.Repeat("a.service loaded failed failed x\n", 9),
			units, bad, "and 6 more failed"},
		"a unit whose file is gone": {"units\nsystem degraded\nx.service not-found failed failed x\n",
			units, bad, "x.service failed"},
		"a failed one that was reset": {"units\nsystem degraded\n", units, ok, ""},
		"still booting":               {"units\nsystem starting\n", units, warning, "still booting"},
		"emergency mode":              {"units\nsystem maintenance\n", units, bad, "emergency mode"},
		"shutting down":               {"units\nsystem stopping\n", units, warning, "shutting down"},
		"no systemd":                  {"units\nsystem offline\n", units, unknown, ""},
	} {
		found := judged(t, "check "+c.section+"end\n", nil)
		f, is := found[c.check]
		if !is || f.Verdict != c.verdict || !strings.Contains(f.Text, c.text) {
			t.Errorf("%s: %s: %q, want %s: %q", name, f.Verdict, f.Text, c.verdict, c.text)
		}
		if (f.Verdict >= lab.VerdictWarning) != (f.Hint != "") {
			t.Errorf("%s: %s, and the next step is %q", name, f.Verdict, f.Hint)
		}
	}
}

// FuzzSections: whatever a machine answers, every check is reported once, in text that is safe to show.
func FuzzSections(f *testing.F) {
	f.Add("check clock\n1800000000.5\ncheck memory\nMemTotal: 8 kB\nMemAvailable: 1 kB\ncheck disk\n"+dfHead+
		"/dev/root ext4 9 8 1 90% /\x1b\ncheck fstab\ncheck units\nsystem running\nend\n", true)
	f.Add("check uptime\n1 1\ncheck uptime\n1 1\ncheck clock\n1\ncheck clock\n1\ncheck units\nend\ncheck units\n", false)
	f.Fuzz(func(t *testing.T, output string, failed bool) {
		var err error
		if failed {
			err = errors.New("the connection was lost")
		}
		found := judged(t, output, err)
		for _, check := range []string{clock, uptime, memory, reboot, diskSpace, fileSystems, timeSource, units} {
			if found[check].Text == "" {
				t.Errorf("%s is not reported", check)
			}
		}
		for _, f := range found {
			if strings.ContainsFunc(f.Text+f.Hint, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("%q", f)
			}
		}
	})
}
