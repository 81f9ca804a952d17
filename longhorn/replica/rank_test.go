package replica_test

import (
	"fmt"
	"hash/crc64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica/replicatest"
)

// TestRank says which of several replicas is best, by what, and what contradicts it.
func TestRank(t *testing.T) {
	needExtents(t, t.TempDir())
	day := time.Date(2026, 4, 13, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return day.Add(time.Duration(seconds) * time.Second) }
	rep := func(counter int64, when time.Time, head int64) replicatest.Replica {
		r := three()
		r.Counter, r.Time = counter, when
		r.Layers[2].Ops = []replicatest.Op{{Off: 0, Len: head, Seed: 3}}
		return r
	}
	sum := func(content []byte) string {
		return fmt.Sprintf(`{"method":"crc64","checksum":"%016x"}`, crc64.Checksum(content, crc64.MakeTable(crc64.ISO)))
	}
	oneLayer := replicatest.Replica{Sectors: 16, Layers: three().Layers[:1]}.Image()
	for _, c := range []struct {
		name   string
		reps   []replicatest.Replica
		want   replica.Want
		damage func(dirs []string)
		order  string // names by rank
		why    string // in the reason of the best
		codes  []replica.Code
	}{
		{name: "alike", reps: []replicatest.Replica{rep(3, at(0), 1), rep(3, at(0), 1)}, order: "a b",
			why: "all 2 are alike"},
		{name: "counter over time", reps: []replicatest.Replica{rep(3, at(60), 9), rep(4, at(0), 1), rep(4, at(0), 1)},
			order: "b c a", why: "by revision counter, like 1 more", codes: []replica.Code{replica.WarnDisagreement}},
		{name: "one without a counter", reps: []replicatest.Replica{rep(9, at(0), 1), rep(0, at(60), 1)},
			order: "b a", why: "by head time",
			codes: []replica.Code{replica.WarnDisagreement}},
		{name: "time outside of the window", reps: []replicatest.Replica{rep(0, at(0), 9), rep(0, at(6), 1)},
			order: "b a", why: "by head time"},
		{name: "time in the future", reps: []replicatest.Replica{rep(0, time.Now().Add(time.Hour), 1), rep(0, at(0), 9)},
			order: "b a", why: "by head size", codes: []replica.Code{replica.WarnTimeFuture, replica.WarnDisagreement}},
		{name: "time in the future, otherwise alike",
			reps:  []replicatest.Replica{rep(0, time.Now().Add(time.Hour), 2), rep(0, at(0), 2)},
			order: "b a", why: "alike", codes: []replica.Code{replica.WarnTimeFuture, replica.WarnDisagreement}},
		{name: "size inside the window", reps: []replicatest.Replica{rep(0, at(4), 1), rep(0, at(0), 9)},
			order: "b a", why: "by head size"},
		{name: "newest of equal size", reps: []replicatest.Replica{rep(0, at(0), 2), rep(0, at(4), 2)}, order: "b a",
			why: "alike"},
		{name: "checksum over size", reps: []replicatest.Replica{rep(1, at(0), 9), rep(1, at(0), 1)}, order: "b a",
			why: "by checksums", damage: func(dirs []string) {
				put(t, dirs[0], oneFile+".checksum", `{"method":"crc64","checksum":"0123456789abcdef"}`)
				put(t, dirs[1], oneFile+".checksum", sum(oneLayer))
			}},
		{name: "checksum of what was before a purge", reps: []replicatest.Replica{rep(1, at(0), 9), rep(1, at(0), 1)},
			order: "a b", why: "by head size", damage: func(dirs []string) {
				put(t, dirs[0], oneFile+".checksum",
					`{"method":"crc64","checksum":"0123456789abcdef",`+
						`"change_time":"2026-04-13 11:59:57.123456789 +0000 UTC"}`)
			}, codes: []replica.Code{replica.WarnChecksumUnknown}},
		{name: "checksum of what has not been written to since",
			reps: []replicatest.Replica{rep(1, at(0), 9), rep(1, at(0), 1)}, order: "b a", why: "by checksums",
			damage: func(dirs []string) {
				put(t, dirs[0], oneFile+".checksum",
					`{"method":"crc64","checksum":"0123456789abcdef","change_time":"2026-04-13 11:59:58 +0000 UTC"}`)
			}},
		{name: "checksum over counter and time, of a recovery point", want: replica.Want{Snapshot: "one"},
			reps:  []replicatest.Replica{rep(9, at(600), 9), rep(1, at(0), 1)},
			order: "b a", why: "by checksums", damage: func(dirs []string) {
				put(t, dirs[0], oneFile+".checksum", `{"method":"crc64","checksum":"0123456789abcdef"}`)
			}},
		{name: "certain over inferred", reps: []replicatest.Replica{rep(1, at(0), 9), rep(1, at(0), 1)}, order: "b a",
			why: "by certainty", damage: func(dirs []string) {
				put(t, dirs[0], oneFile+".meta", "")
			}},
		{name: "rebuilding is out, however new", reps: []replicatest.Replica{
			{Sectors: 16, Rebuilding: true, Counter: 0, Time: at(600), Layers: three().Layers}, rep(5, at(0), 1)},
			order: "b a", why: "the only one", codes: []replica.Code{replica.WarnDisagreement}},
		{name: "bad checksum in the best", reps: []replicatest.Replica{rep(2, at(0), 1), rep(1, at(0), 1)},
			order: "a b", why: "by revision counter", damage: func(dirs []string) {
				put(t, dirs[0], oneFile+".checksum", `{"method":"crc64","checksum":"0123456789abcdef"}`)
			}, codes: []replica.Code{replica.WarnChecksumMismatch}},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := t.TempDir()
			var paths []string
			for i, r := range c.reps {
				paths = append(paths, filepath.Join(base, string(rune('a'+i))))
				if err := r.Write(paths[i]); err != nil {
					t.Fatal(err)
				}
			}
			if c.damage != nil {
				c.damage(paths)
			}
			dirs, err := replica.ReadAll(append(paths, paths[0])) // one that is given twice counts once
			if err != nil {
				t.Fatal(err)
			}
			r, err := replica.Rank(t.Context(), dirs, c.want, replica.RankOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var order []string
			for _, x := range r.Replicas {
				order = append(order, x.Name())
				if x.Reason == "" {
					t.Errorf("%s has no reason", x.Name())
				}
			}
			if got := strings.Join(order, " "); got != c.order {
				t.Errorf("order %s, want %s", got, c.order)
			}
			if best := r.Best(); best == nil || !strings.Contains(best.Reason, c.why) {
				t.Errorf("best %+v, want a reason that says %q", best, c.why)
			}
			for _, code := range c.codes {
				if !has(r.Warnings, code) {
					t.Errorf("no warning %s in %v", code, r.Warnings)
				}
			}
			if len(c.codes) == 0 && has(r.Warnings, replica.WarnDisagreement) {
				t.Errorf("disagreement: %v", r.Warnings)
			}
		})
	}
}

// TestRankRefuses directories of two volumes, recognized by their names or by their snapshots.
func TestRankRefuses(t *testing.T) {
	base := t.TempDir()
	a, b, c := filepath.Join(base, "pvc-1-0123abcd"), filepath.Join(base, "pvc-2-0123abcd"), filepath.Join(base, "x")
	stranger := three()
	stranger.Layers[0].Name, stranger.Layers[1].Name = "eins", "zwei"
	for dir, rep := range map[string]replicatest.Replica{a: three(), b: three(), c: stranger} {
		if err := rep.Write(dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, paths := range [][]string{{a, b}, {a, c}} {
		dirs, err := replica.ReadAll(paths)
		if err != nil {
			t.Fatal(err)
		}
		_, err = replica.Rank(t.Context(), dirs, replica.Want{}, replica.RankOptions{NoChecksums: true})
		refused(t, err, "two volumes")
	}
}

// TestCompare finds where replicas differ, and which are equal.
func TestCompare(t *testing.T) {
	needExtents(t, t.TempDir())
	base := replicatest.Replica{Sectors: 1 << 20, Layers: []replicatest.Layer{
		{Name: "one", Ops: []replicatest.Op{{Off: 1000, Len: 3000, Seed: 1}}}, {},
	}}
	change := func(ops ...replicatest.Op) replicatest.Replica {
		r := base
		r.Layers = []replicatest.Layer{r.Layers[0], {Ops: ops}}
		return r
	}
	reps := []replicatest.Replica{
		base,
		change(replicatest.Op{Off: 1000, Len: 2, Seed: 1}), // the same content in another layer
		change(replicatest.Op{Off: 255, Len: 2, Seed: 5}, replicatest.Op{Off: 900_000, Len: 1, Seed: 6}),
		change(replicatest.Op{Kind: replicatest.Zeros, Off: 1000, Len: 3000}),
		change(replicatest.Op{Off: 255, Len: 2, Seed: 5}, replicatest.Op{Off: 900_000, Len: 1, Seed: 6}),
	}
	var images []*replica.Image
	for _, r := range reps {
		images = append(images, open(t, write(t, r), replica.Want{}))
	}
	c, err := replica.Compare(t.Context(), images, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.Groups); got != "[[0 1] [2 4] [3]]" || c.Equal() {
		t.Errorf("groups %s", got)
	}
	const s = replicatest.Sector
	for i, want := range map[int]replica.Difference{
		2: {Bytes: 3 * s, Ranges: []replica.Range{{Off: 255 * s, Len: 2 * s}, {Off: 900_000 * s, Len: s}}},
		3: {Bytes: 3000 * s, Ranges: []replica.Range{{Off: 1000 * s, Len: 3000 * s}}},
	} {
		if got := fmt.Sprint(c.Differ[i]); got != fmt.Sprint(want) {
			t.Errorf("differs %s, want %v", got, want)
		}
	}
}

// TestVerify reads a set of the real engine whole.
func TestVerify(t *testing.T) {
	needExtents(t, t.TempDir())
	paths := fixture(t, "diverged", t.TempDir())
	dirs, err := replica.ReadAll(paths)
	if err != nil {
		t.Fatal(err)
	}
	v, err := replica.Verify(t.Context(), dirs, replica.Want{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v.OK() || fmt.Sprint(v.Comparison.Groups) != "[[0 1] [2]]" ||
		v.Comparison.Differ[2].Bytes != 12*replicatest.Sector {
		t.Errorf("%+v", v.Comparison)
	}
	if v, err = replica.Verify(t.Context(), dirs[:2], replica.Want{}, nil); err != nil || !v.OK() {
		t.Errorf("r1 and r2: %v %v", v, err)
	}
}

// TestVerifyAgreement: of replicas whose heads were written within seconds, the two that are equal are
// better than one that is not, however little newer or larger that is; but not than one that is newer by
// more.
func TestVerifyAgreement(t *testing.T) {
	needExtents(t, t.TempDir())
	for name, c := range map[string]struct {
		later time.Duration // the head of the deviant
		len   int64         // sectors in it
		why   string        // of the best
		best  bool          // the deviant
	}{
		"newer by a second":    {time.Second, 1, "by agreement, like 1 more", false},
		"larger":               {0, 3, "by agreement", false},
		"newer by ten seconds": {10 * time.Second, 1, "by head time", true},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			var paths []string
			for i := range 3 {
				rep := three()
				rep.Time = time.Date(2026, 4, 13, 12, 0, 0, 0, time.UTC)
				if i == 1 {
					rep.Time = rep.Time.Add(c.later)
					rep.Layers[2].Ops = []replicatest.Op{{Off: 5, Len: c.len, Seed: 9}}
				}
				paths = append(paths, filepath.Join(base, string(rune('a'+i))))
				if err := rep.Write(paths[i]); err != nil {
					t.Fatal(err)
				}
			}
			dirs, err := replica.ReadAll(paths)
			if err != nil {
				t.Fatal(err)
			}
			v, err := replica.Verify(t.Context(), dirs, replica.Want{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			best := v.Ranking.Best()
			if (best.Name() == "b") != c.best || !strings.Contains(best.Reason, c.why) || v.OK() {
				t.Errorf("best %s: %s", best.Name(), best.Reason)
			}
			if last := v.Ranking.Replicas[2]; !c.best && (last.Name() != "b" ||
				!strings.Contains(last.Reason, "its content is that of no other replica")) {
				t.Errorf("last %s: %s", last.Name(), last.Reason)
			}
		})
	}
}

// TestChecksumProgress reports how much of the layers with checksums is read, of all replicas together.
func TestChecksumProgress(t *testing.T) {
	needExtents(t, t.TempDir())
	base := t.TempDir()
	var paths []string
	for _, name := range []string{"a", "b"} {
		rep := replicatest.Replica{Sectors: 4096, Layers: []replicatest.Layer{
			{Name: "one", Ops: []replicatest.Op{{Len: 4096, Seed: 1}}}, {}}}
		path := filepath.Join(base, name)
		if err := rep.Write(path); err != nil {
			t.Fatal(err)
		}
		put(t, path, oneFile+".checksum", `{"method":"crc64","checksum":"0123456789abcdef"}`)
		paths = append(paths, path)
	}
	dirs, err := replica.ReadAll(paths)
	if err != nil {
		t.Fatal(err)
	}
	var events []lab.Event
	_, err = replica.Rank(t.Context(), dirs, replica.Want{}, replica.RankOptions{Events: func(e lab.Event) {
		events = append(events, e)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(events) == 0 || events[0].Text != "checksums" || events[0].Done <= 0 || events[0].Total != 2*4096*4096 {
		t.Errorf("events %+v", events)
	}
}

// TestChecksums compares the hole-skipping sum with the plain one, and with the sum that the engine
// computed.
func TestChecksums(t *testing.T) {
	needExtents(t, t.TempDir())
	im := open(t, fixture(t, "ext4-chain", t.TempDir())[0], replica.Want{})
	sums, err := im.Checksums(t.Context())
	if err != nil || len(sums) != 1 || !sums[0].OK() {
		t.Errorf("the engine's own: %v %v", sums, err)
	}
	dir := write(t, replicatest.Replica{Sectors: 5000, Layers: []replicatest.Layer{
		{Name: "one", Ops: []replicatest.Op{{Off: 7, Len: 3, Seed: 1}, {Kind: replicatest.Zeros, Off: 100, Len: 9},
			{Kind: replicatest.Reserve, Off: 300, Len: 9}, {Off: 4990, Len: 1, Seed: 2}}}, {},
	}})
	content, err := os.ReadFile(filepath.Join(dir, oneFile))
	if err != nil {
		t.Fatal(err)
	}
	want := crc64.Checksum(content, crc64.MakeTable(crc64.ISO))
	put(t, dir, oneFile+".checksum", fmt.Sprintf(`{"method":"crc64","checksum":"%016x","silently_corrupted":true}`,
		want))
	im = open(t, dir, replica.Want{})
	if !has(im.Chain.Warnings, replica.WarnSilentlyCorrupted) {
		t.Error("Longhorn's own mark is not reported")
	}
	if sums, err = im.Checksums(t.Context()); err != nil || len(sums) != 1 || sums[0].Got != want {
		t.Errorf("%v, want %#x (%v)", sums, want, err)
	}
}
