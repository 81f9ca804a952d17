package replica_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica/replicatest"
)

// nextSteps returns what the hints of an error say and ask to set, of each [lab.Error] in it.
func nextSteps(err error) (found []lab.Error) {
	switch e := err.(type) {
	case nil:
	case *lab.Error:
		if e.Hint != "" {
			found = append(found, lab.Error{Hint: strings.TrimPrefix(e.Hint, "or "), Set: e.Set})
		}
		return append(found, nextSteps(e.Err)...)
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			found = append(found, nextSteps(part)...)
		}
	case interface{ Unwrap() error }:
		return nextSteps(e.Unwrap())
	}
	return found
}

// listed returns the names that a hint lists behind a word, up to the last comma that is of the sentence.
func listed(hint, word string) (names []string) {
	_, list, ok := strings.Cut(hint, word)
	for _, name := range strings.Split(list, ", ") {
		if ok && name != "..." && !strings.Contains(name, " ") {
			names = append(names, name)
		}
	}
	return names
}

// flagsOf are the fields of a want that settings without a value stand for.
var flagsOf = map[string]func(*replica.Want){
	replica.SettingForceRebuilding: func(w *replica.Want) { w.ForceRebuilding = true },
	replica.SettingDropMissing:     func(w *replica.Want) { w.DropMissing = true },
	replica.SettingEncrypted:       func(w *replica.Want) { w.Encrypted = true },
	replica.SettingNoBacking:       func(w *replica.Want) { w.NoBacking = true },
	replica.SettingBorrow:          func(w *replica.Want) { w.Borrow = true },
}

// leftOut are the hints that name nothing to set, since something given is to be left out.
var leftOut = map[string]func(*replica.Want){
	"leave the size out":          func(w *replica.Want) { w.Size = 0 },
	"leave the backing file out":  func(w *replica.Want) { w.Backing = "" },
	"leave it out":                func(w *replica.Want) { w.Parents = nil },
	"give no parent":              func(w *replica.Want) { w.Parents = nil },
	"give other parents, or none": func(w *replica.Want) { w.Parents = nil },
}

// ways returns what the hints of a refusal say to ask for, where w was asked for.
func ways(t *testing.T, w replica.Want, err error) map[string]replica.Want {
	t.Helper()
	found := map[string]replica.Want{}
	way := func(name string, change func(*replica.Want)) {
		changed := w
		changed.Parents = maps.Clone(w.Parents)
		change(&changed)
		found[name] = changed
	}
	for _, step := range nextSteps(err) {
		value := step.Set.Value
		for hint, change := range leftOut {
			if strings.HasPrefix(step.Hint, hint) {
				way(hint, change)
			}
		}
		switch step.Set.Name {
		case "":
		case replica.SettingSnapshot:
			names := []string{value}
			if value == "" {
				names = listed(step.Hint, "choose one of the recovery points ")
			}
			for _, name := range names {
				way("snapshot "+name, func(w *replica.Want) { w.Snapshot = name })
			}
		case replica.SettingParent:
			for _, p := range append([]string{""}, listed(step.Hint, "give it, of ")...) {
				if value == "" {
					break
				}
				way("parent "+value+"="+p, func(w *replica.Want) {
					if w.Parents == nil {
						w.Parents = map[string]string{}
					}
					w.Parents[value] = p
				})
			}
		case replica.SettingSize:
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				way("size", func(w *replica.Want) { w.Size = n })
			}
		case replica.SettingBacking: // only the user knows it, or what is converted
		default:
			if strings.HasPrefix(step.Hint, "give one as well") {
				continue // another replica is needed for it
			}
			change, ok := flagsOf[step.Set.Name]
			if !ok {
				t.Fatalf("the hint %q asks to set %q, which nothing is known of", step.Hint, step.Set.Name)
			}
			way(step.Set.Name, change)
		}
	}
	return found
}

// followHints asks for what the hints of a refusal say: none of it may lead to the same refusal, and a
// recovery point that is named must be one.
func followHints(t *testing.T, d *replica.Directory, w replica.Want, refusal error) (followed int) {
	t.Helper()
	for name, way := range ways(t, w, refusal) {
		followed++
		_, err := d.Chain(way)
		if err == nil {
			continue
		}
		if err.Error() == refusal.Error() || strings.HasPrefix(name, "snapshot ") {
			t.Errorf("%s\nhint: %s\nfollowed by %s: %v", refusal, lab.Hints(refusal), name, err)
		}
	}
	return followed
}

// TestHints follows the hints of each refusal of a chain that there is in the source.
func TestHints(t *testing.T) {
	meta := func(text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { put(t, dir, "volume.meta", text) }
	}
	resize := func(file string, size int64) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, file), size); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := func(steps ...func(*testing.T, string)) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, s := range steps {
				s(t, dir)
			}
		}
	}
	write := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { put(t, dir, name, text) }
	}
	gone := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { remove(t, dir, name) }
	}
	var seen []string
	for _, c := range []struct {
		name    string
		damage  func(*testing.T, string)
		want    replica.Want
		refused string
		ways    int // what the hint names, at least; 0 where only another replica helps
	}{
		{"head missing", gone(headFile), replica.Want{}, "it is missing", 2},
		{"middle missing", gone(twoFile), replica.Want{}, "needs it", 1},
		{"oldest missing", gone(oneFile), replica.Want{}, "needs it", 0},
		{"point missing", gone(twoFile), replica.Want{Snapshot: "two"}, "file is missing", 1},
		{"no such point", nil, replica.Want{Snapshot: "nope"}, "not found", 3},
		{"circle", write(oneFile+".meta", `{"Parent":"volume-snap-two.img"}`), replica.Want{}, "circle", 0},
		{"circle by a given parent", write(oneFile+".meta", ``),
			replica.Want{Parents: map[string]string{oneFile: twoFile}}, "circle", 1},
		{"no head and no volume.meta", all(gone(headFile), gone("volume.meta")), replica.Want{}, "there is no head", 2},
		{"two heads and no volume.meta", all(gone("volume.meta"), write("volume-head-009.img", "x"),
			write("volume-head-009.img.meta", `{"Parent":"volume-snap-one.img"}`)), replica.Want{}, "is the head is not known", 1},
		{"rebuilding", meta(`{"Size":65536,"Head":"volume-head-002.img","Rebuilding":true}`), replica.Want{},
			"being rebuilt", 1},
		{"encrypted", meta(`{"Size":65536,"Head":"volume-head-002.img","Encrypted":true}`), replica.Want{}, "encrypted", 1},
		{"purge cut off", all(gone(twoFile), write(oneFile+".meta", `{"Parent":"","Removed":true}`)), replica.Want{},
			"a purge may have been cut off", 1},
		{"middle .meta lost, two candidates", all(write(twoFile+".meta", ""), write("volume-snap-other.img", ""),
			write("volume-snap-other.img.meta", `{"Parent":""}`)), replica.Want{}, "may be any of", 3},
		{"head's .meta and volume.meta lost", all(write(headFile+".meta", ""), gone("volume.meta")), replica.Want{},
			"may be any of", 3},
		{"the parent's file lost", all(write(oneFile+".meta", ""), write("volume-snap-other.img.meta", `{"Parent":""}`)),
			replica.Want{}, "which is missing", 1},
		{"parent that is none", write(twoFile+".meta", ""),
			replica.Want{Parents: map[string]string{twoFile: "volume-snap-x.img"}}, "is not a snapshot", 2},
		{"parent that is known", nil, replica.Want{Parents: map[string]string{twoFile: ""}}, "can be read", 1},
		{"parent of no layer", nil, replica.Want{Parents: map[string]string{"volume-snap-x.img": ""}}, "no such layer", 1},
		{"parent of no layer, one being lost", write(oneFile+".meta", ""),
			replica.Want{Parents: map[string]string{"volume-snap-x.img": ""}}, "no such layer", 1},
		{"size that is known", nil, replica.Want{Size: 4096}, "is known", 1},
		{"size that cannot be", all(meta(`{"Size":66048,"Head":"volume-head-002.img","Parent":"volume-snap-two.img"}`),
			resize(headFile, 66048)), replica.Want{}, "cannot be a volume's size", 1},
		{"head larger than the volume", resize(headFile, 1<<20), replica.Want{}, "larger than the volume", 3},
		{"head of no bytes", resize(headFile, 0), replica.Want{}, "", 0},
		{"head of no bytes, and no volume.meta", all(gone("volume.meta"), resize(headFile, 0)), replica.Want{},
			"cannot be a volume's size", 0},
		{"snapshot larger than the one above", resize(oneFile, 1<<20), replica.Want{}, "larger than", 0},
		{"snapshot larger than the head", resize(headFile, 4096), replica.Want{}, "larger than volume-head", 2},
		{"v2", meta(`{"Size":65536,"Head":"volume-head-002.img","DataEngine":"v2"}`), replica.Want{}, "v2 data engine", 0},
		{"backing file, and none wanted", meta(`{"Size":65536,"Head":"volume-head-002.img","BackingFilePath":"/x/y"}`),
			replica.Want{NoBacking: true}, "the volume has a backing file", 0},
		{"the only candidate is newer", all(write(twoFile+".meta", ""), func(t *testing.T, dir string) {
			now := time.Now()
			if err := os.Chtimes(filepath.Join(dir, oneFile), now, now); err != nil {
				t.Fatal(err)
			}
		}), replica.Want{}, "is newer or larger than it", 2},
		{"no backing file, given", nil, replica.Want{Backing: "x"}, "has no backing file", 1},
		{"backing file and none", nil, replica.Want{Backing: "x", NoBacking: true}, "both a backing file", 0},
		{"backing files near, volume.meta lost", all(gone("volume.meta"), func(t *testing.T, dir string) {
			images := filepath.Join(filepath.Dir(filepath.Dir(dir)), "backing-images", "x")
			if err := os.MkdirAll(images, 0o700); err != nil {
				t.Fatal(err)
			}
			put(t, images, "backing", "x")
		}), replica.Want{}, "whether the volume has a backing file", 1},
		{"empty state beside data", all(gone(headFile), write(headFile, ""), resize(headFile, 65536),
			write(headFile+".meta", `{"Parent":""}`)), replica.Want{}, "the live state is empty", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := replicaOf(t, three(), c.damage)
			d, err := replica.Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			_, err = d.Chain(c.want)
			if c.refused == "" && err == nil {
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.refused) || len(lab.Hints(err)) == 0 {
				t.Fatalf("%v, want %q and a hint", err, c.refused)
			}
			seen = append(seen, err.Error())
			if n := followHints(t, d, c.want, err); n < c.ways {
				t.Errorf("%v\nhint: %s\nnames %d ways, want %d", err, lab.Hints(err), n, c.ways)
			}
		})
	}
	for name, c := range peerRefusals() {
		t.Run(name, func(t *testing.T) { seen = append(seen, c.check(t).Error()) })
	}
	checkAllSeen(t, seen)
}

// peerRefusals are the states in which replicas contradict each other: what was done to the first, and to
// the two that may lend it metadata.
func peerRefusals() map[string]peerCase {
	lost := map[string]string{twoFile + ".meta": "", "volume-snap-zzz.img": "", "volume-snap-zzz.img.meta": `{"Parent":""}`}
	noVolume := map[string]string{"volume.meta": ""}
	wants := replica.Want{Borrow: true}
	return map[string]peerCase{
		"disagree on size": {ours: noVolume, second: map[string]string{
			"volume.meta": `{"Size":131072,"Head":"volume-head-002.img"}`}, want: wants, refused: "disagree on size"},
		"another size": {ours: noVolume, first: map[string]string{
			"volume.meta": `{"Size":131072,"Head":"volume-head-002.img"}`}, second: noVolume, want: wants,
			refused: "to be borrowed, but the volume has 131072 bytes there"},
		"disagree on the parent": {ours: lost, second: map[string]string{twoFile + ".meta": `{"Parent":""}`}, want: wants,
			refused: "disagree on the parent"},
		"purged there": {ours: map[string]string{twoFile + ".meta": "", "volume-snap-aa.img": "",
			"volume-snap-aa.img.meta": `{"Parent":"volume-snap-one.img"}`}, want: wants, refused: "may have been purged there"},
		"contradicts what is inferred": {ours: map[string]string{twoFile + ".meta": ""},
			first: map[string]string{twoFile + ".meta": `{"Parent":""}`}, second: noVolume, refused: "its parent would be inferred"},
		"could be borrowed": {ours: lost, refused: "may be any of"},
		"two lost": {ours: map[string]string{twoFile + ".meta": "", oneFile + ".meta": ""},
			refused: "which of them is the older one is not known"},
	}
}

type peerCase struct {
	ours, first, second map[string]string // files
	want                replica.Want
	refused             string
}

// check follows the hints of a refusal in which other replicas play a part. "Leave one of them out" must
// help for one of them.
func (c peerCase) check(t *testing.T) (refusal error) {
	t.Helper()
	var dirs []*replica.Directory
	for _, files := range []map[string]string{c.ours, c.first, c.second} {
		dir := write(t, three())
		for name, content := range files {
			put(t, dir, name, content)
		}
		d, err := replica.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, d)
	}
	w := c.want
	w.Peers = dirs
	_, refusal = dirs[0].Chain(w)
	refused(t, refusal, c.refused)
	n := followHints(t, dirs[0], w, refusal)
	if strings.Contains(strings.Join(lab.Hints(refusal), ""), "leave one of them out") {
		for i := 1; i < len(dirs); i++ {
			fewer := w
			fewer.Peers = slices.Delete(slices.Clone(dirs), i, i+1)
			if _, err := dirs[0].Chain(fewer); err == nil || err.Error() != refusal.Error() {
				n++
			}
		}
	}
	if n == 0 {
		t.Errorf("%v\nhint: %s\nleads nowhere", refusal, lab.Hints(refusal))
	}
	return refusal
}

// checkAllSeen requires that each refusal of a chain in the source is among those that were seen.
func checkAllSeen(t *testing.T, seen []string) {
	t.Helper()
	calls := regexp.MustCompile(`(?s)b\.refuse\((.*?)\)\n`)
	literal := regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, call := range calls.FindAllStringSubmatch(string(source), -1) {
			found++
			said := func(format string) bool {
				parts := regexp.MustCompile(`%[sdvq]`).Split(format, -1)
				for i := range parts {
					parts[i] = regexp.QuoteMeta(parts[i])
				}
				pattern := regexp.MustCompile("refused: " + strings.Join(parts, ".*"))
				return slices.ContainsFunc(seen, pattern.MatchString)
			}
			texts := literal.FindAllStringSubmatch(call[1], -1)
			if !slices.ContainsFunc(texts, func(m []string) bool { return said(m[1]) }) {
				t.Errorf("%s: no case of %s", file, call[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("%d refusals found", found)
	}
}

// replicaOf writes a replica directory and damages it.
func replicaOf(t *testing.T, rep replicatest.Replica, damage func(*testing.T, string)) string {
	t.Helper()
	dir := write(t, rep)
	if damage != nil {
		damage(t, dir)
	}
	return dir
}
