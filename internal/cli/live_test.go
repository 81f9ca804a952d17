package cli

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// livePrinter returns a printer to a terminal.
func livePrinter(m *terminal) *Printer {
	return &Printer{Out: m, screen: screen{out: m, size: m.size}}
}

// TestLiveLeavesNothing: whatever happens, and however the terminal is resized meanwhile, in the end there
// are the permanent lines and nothing else. What has scrolled out of the terminal nothing can remove, so
// one that is resized is high enough for the live lines as they are wrapped then.
func TestLiveLeavesNothing(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			size := func() (int, int) { return 40 + r.IntN(80), 24 + r.IntN(20) }
			resized := seed%2 == 0
			m := newTerminal(t, 10+r.IntN(80), 4+r.IntN(20))
			if resized {
				m.resize(size())
			}
			p := livePrinter(m)
			var want []string
			names := []string{"host/pi1", "host/pi2", "host/日本語の機械", "host/" + strings.Repeat("long", 30),
				"pg/e\u0301\U0001F600"}
			p.Event(lab.Event{Kind: lab.EventBegin, Total: 50})
			for i := range 40 {
				e := lab.Event{Target: names[r.IntN(len(names))], Text: strings.Repeat("読む ", r.IntN(40))}
				e.Change = e.Target + "/" + fmt.Sprintf("file:/%d/%s", i, strings.Repeat("漢x", r.IntN(30)))
				kinds := []lab.EventKind{lab.EventStart, lab.EventOutput, lab.EventWait, lab.EventDone, lab.EventDoing}
				if e.Kind = kinds[r.IntN(len(kinds))]; e.Kind == lab.EventDone {
					e.Status = lab.StatusDone
				}
				if e.Kind == lab.EventOutput && r.IntN(2) == 0 {
					e.Done, e.Total, e.Unit = r.Int64N(1<<30), 1<<30, "bytes"
				}
				if line := p.eventLine(e, false, false); line != "" {
					want = append(want, line)
				}
				p.Event(e)
				switch r.IntN(8) {
				case 0:
					if resized {
						m.resize(size())
					}
				case 1:
					_, _ = m.Write([]byte("^C")) // the terminal's echo
				case 2:
					p.outside(func() { fmt.Fprintln(m, "interrupt: stopping") })
					want = append(want, "interrupt: stopping")
				case 3:
					time.Sleep(time.Duration(r.IntN(5000)) * time.Millisecond)
					synctest.Wait()
				}
			}
			p.end()
			got := strings.TrimSuffix(m.text(), "\n")
			if got != strings.Join(want, "\n") {
				t.Fatalf("seed %d: got\n%s\n\nwant\n%s", seed, got, strings.Join(want, "\n"))
			}
		})
		if t.Failed() {
			return
		}
	}
}

// TestLiveShows: a machine that hangs is seen at once, and for how long; how much is done of how much; and
// how long the rest of a transfer takes.
func TestLiveShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTerminal(t, 80, 24)
		p := livePrinter(m)
		p.Event(lab.Event{Kind: lab.EventDoing, Target: "host/pi7", Text: "connecting to pi7"})
		shows(t, p, m, "  0:00", "  » host/pi7 connecting to pi7")
		time.Sleep(12*time.Second + time.Millisecond)
		synctest.Wait()
		shows(t, p, m, "  0:12", "  » host/pi7 connecting to pi7  0:12")
		p.Event(lab.Event{Kind: lab.EventDoing, Target: "host/pi7"})
		shows(t, p, m)

		p.Event(lab.Event{Kind: lab.EventBegin, Total: 3})
		shows(t, p, m, "  0/3 0:00")
		start := lab.Event{Kind: lab.EventStart, Target: "host/pi1", Change: "host/pi1/file:/image"}
		p.Event(start)
		send := lab.Event{Kind: lab.EventOutput, Target: start.Target, Change: start.Change, Total: 40 << 20, Unit: "bytes"}
		p.Event(send)
		time.Sleep(10*time.Second + time.Millisecond)
		send.Done = 10 << 20
		p.Event(send)
		shows(t, p, m, "  0/3 0:10", "  » host/pi1 file:/image  10.0 MiB of 40.0 MiB, 0:30 left  0:10")
		p.Event(lab.Event{Kind: lab.EventDone, Target: start.Target, Change: start.Change, Status: lab.StatusDone})
		shows(t, p, m, "  done    host/pi1 file:/image", "  1/3 0:10")

		start.Change = "host/pi1/reboot"
		p.Event(start)
		p.Event(lab.Event{Kind: lab.EventWait, Target: "host/pi1", Text: "pi1 to boot"})
		p.Event(lab.Event{Kind: lab.EventDoing, Target: "host/pi1", Text: "connecting to pi1"}) // it tries
		p.Event(lab.Event{Kind: lab.EventDoing, Target: "host/pi1"})
		shows(t, p, m, "  done    host/pi1 file:/image", "  wait    host/pi1: pi1 to boot", "  1/3 0:10",
			"  » host/pi1 waiting for pi1 to boot")
		p.Report(&lab.Report{})
		shows(t, p, m, "  done    host/pi1 file:/image", "  wait    host/pi1: pi1 to boot", "nothing to do in 0.0 s")
	})
}

func shows(t *testing.T, p *Printer, m *terminal, want ...string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if got := strings.TrimSuffix(m.text(), "\n"); got != strings.Join(want, "\n") {
		t.Errorf("the terminal shows\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// TestHeartbeat: where nothing is redrawn, a line says every 30 s what is in progress, as long as something is,
// and none is printed when there was another.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		p, err := NewPrinter(&out, Options{})
		if err != nil {
			t.Fatal(err)
		}
		p.Event(lab.Event{Kind: lab.EventBegin, Total: 9})
		p.Event(lab.Event{Kind: lab.EventStart, Target: "host/pi1", Change: "host/pi1/package:k3s"})
		for range 65 {
			time.Sleep(time.Second)
			synctest.Wait()
		}
		p.Event(lab.Event{Kind: lab.EventNote, Text: "a line"})
		time.Sleep(20 * time.Second)
		synctest.Wait()
		p.Event(lab.Event{Kind: lab.EventDone, Target: "host/pi1", Change: "host/pi1/package:k3s", Status: lab.StatusDone})
		p.Report(&lab.Report{})
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		const want = `  working 0/9 0:30: host/pi1 package:k3s (0:30)
  working 0/9 1:00: host/pi1 package:k3s (1:00)
  note    a line
  done    host/pi1 package:k3s
nothing to do in 0.0 s
`
		if out.String() != want {
			t.Errorf("got\n%s", out.String())
		}
	})
}

// TestQuietVerbose: a quiet run says what failed and no more, a verbose one all that happens and why it failed.
func TestQuietVerbose(t *testing.T) {
	events := []lab.Event{
		{Kind: lab.EventDoing, Target: "host/pi1", Text: "connecting to pi1"},
		{Kind: lab.EventOutput, Target: "host/pi1", Change: "host/pi1/a", Text: "a line"},
		{Kind: lab.EventWait, Target: "host/pi1", Text: "a thing"},
		{Kind: lab.EventDone, Target: "host/pi1", Change: "host/pi1/a", Status: lab.StatusDone},
		{Kind: lab.EventDone, Target: "host/pi1", Change: "host/pi1/b", Status: lab.StatusFailed, Err: errors.New("no space")},
		{Kind: lab.EventDone, Target: "host/pi1", Change: "host/pi1/c", Status: lab.StatusSkipped, Text: "b failed"},
		{Kind: lab.EventDone, Target: "host/pi1", Change: "host/pi1/d", Status: lab.StatusRolledBack, Text: "by b"},
	}
	for o, want := range map[Options]string{
		{}:            "  wait    host/pi1: a thing\n  done    host/pi1 a\n  failed  host/pi1 b\n  rolled back host/pi1 d: by b\n",
		{Quiet: true}: "  failed  host/pi1 b\n  rolled back host/pi1 d: by b\n",
		{Verbose: true}: "  doing   host/pi1: connecting to pi1\n  output  host/pi1 a: a line\n  wait    host/pi1: a thing\n" +
			"  done    host/pi1 a\n  failed  host/pi1 b: no space\n  skipped host/pi1 c: b failed\n" +
			"  rolled back host/pi1 d: by b\n",
	} {
		var out strings.Builder
		p, err := NewPrinter(&out, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			p.Event(e)
		}
		p.end()
		if out.String() != want {
			t.Errorf("%+v prints\n%s\nwant\n%s", o, out.String(), want)
		}
	}
	for _, o := range []Options{{Color: "red"}, {Quiet: true, Verbose: true}} {
		if _, err := NewPrinter(&strings.Builder{}, o); !errors.Is(err, lab.ErrInvalid) {
			t.Errorf("%+v is accepted: %v", o, err)
		}
	}
}

// TestColor: colours are where they are asked for, and not where they are not.
func TestColor(t *testing.T) {
	plan, err := lab.NewPlan()
	if err != nil {
		t.Fatal(err)
	}
	for color, want := range map[string]bool{"": false, "auto": false, "never": false, "always": true} {
		for _, json := range []bool{false, true} {
			var out strings.Builder
			p, err := NewPrinter(&out, Options{Color: color, JSON: json})
			if err != nil {
				t.Fatal(err)
			}
			p.Plan(plan)
			p.Event(lab.Event{Kind: lab.EventDone, Target: "a", Change: "a/b", Status: lab.StatusDone})
			p.end()
			if got := strings.Contains(out.String(), "\x1b["); got != (want && !json) {
				t.Errorf("--color %q, JSON %v: %q", color, json, out.String())
			}
		}
	}
}

// TestLiveDoing: work that is no change shows how much of it is done and how long the rest takes; that it goes
// on is no line of a log, nor of a verbose run.
func TestLiveDoing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTerminal(t, 80, 24)
		p := livePrinter(m)
		p.Verbose = true
		copying := lab.Event{Kind: lab.EventDoing, Target: "merge", Text: "copy", Total: 40 << 20, Unit: "bytes"}
		for range 11 {
			p.Event(copying)
			copying.Done += 1 << 20
			time.Sleep(time.Second)
		}
		p.mu.Lock()
		p.write("")
		p.mu.Unlock()
		shows(t, p, m, "  doing   merge: copy", "  0:11", "  » merge copy  10.0 MiB of 40.0 MiB, 0:33 left  0:11")
		p.Event(lab.Event{Kind: lab.EventDoing, Target: "merge", Text: "extract", Done: 12, Unit: "files"})
		shows(t, p, m, "  doing   merge: copy", "  doing   merge: extract", "  0:11", "  » merge extract  12 files")
		p.Event(lab.Event{Kind: lab.EventDoing, Target: "merge"})
		shows(t, p, m, "  doing   merge: copy", "  doing   merge: extract")
	})
}
