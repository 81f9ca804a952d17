package health

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// maxOutput is how much of the script's output is read, in bytes: far more than any machine has
// mounts and failed units for.
const maxOutput = 4 << 20

// sections reads the output of the script as it arrives, and judges each section when it ends.
type sections struct {
	sent  time.Time
	now   func() time.Time
	found func(lab.Finding)

	size   int
	rest   []byte // an incomplete line
	name   string // of the section that is being read; empty before the first
	lines  []string
	mounts []string // of the section mounts, which is judged with fstab
	done   []string // names of the checks that were reported
}

// Write implements io.Writer.
func (s *sections) Write(p []byte) (int, error) {
	if s.size += len(p); s.size > maxOutput {
		return 0, fmt.Errorf("%w: more than %d bytes about its health", lab.ErrInvalid, maxOutput)
	}
	s.rest = append(s.rest, p...)
	for {
		line, rest, ok := bytes.Cut(s.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		s.line(string(line))
		s.rest = rest
	}
}

func (s *sections) line(line string) {
	name, starts := strings.CutPrefix(line, "check ")
	switch {
	case starts:
		s.judge()
		s.name, s.lines = name, nil
	case line == "end":
		s.judge()
		s.name = ""
	case s.name == "clock" && len(s.lines) == 0: // at once: what comes later is of a later time
		s.add(judgeClock(line, s.sent, s.now()))
		s.lines = []string{line}
	default:
		s.lines = append(s.lines, line)
	}
}

// add reports a finding, each check once whatever the machine says.
func (s *sections) add(f lab.Finding) {
	if slices.Contains(s.done, f.Check) {
		return
	}
	s.done = append(s.done, f.Check)
	s.found(f)
}

// judge reports what the section that has ended says.
func (s *sections) judge() {
	switch s.name {
	case "uptime":
		s.add(judgeUptime(s.lines))
	case "memory":
		s.add(judgeMemory(s.lines))
	case "power":
		if f, ok := judgePower(s.lines); ok {
			s.add(f)
		}
	case "reboot":
		s.add(judgeReboot(s.lines))
	case "disk":
		s.add(judgeDisks(s.lines))
	case "mounts":
		s.mounts = s.lines
	case "fstab":
		s.add(judgeMounts(s.mounts, s.lines))
	case "time":
		s.add(judgeTimeSource(s.lines))
	case "units":
		s.add(judgeUnits(s.lines))
	}
}

// end reports what was not examined. err is why the script ended early; nil when it did not.
func (s *sections) end(machine string, err error) {
	first := true
	for _, check := range []string{clock, uptime, memory, reboot, diskSpace, fileSystems, timeSource, units} {
		if slices.Contains(s.done, check) {
			continue
		}
		f := lab.Finding{Check: check, Verdict: lab.VerdictUnknown, Text: "not examined: the machine said nothing of it"}
		if err != nil && first {
			f = broken(machine, check, err)
		}
		first = false
		s.found(f)
	}
}
