package replica_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

// TestReportedStates reads directories as people have reported them, by the number of the issue at
// github.com/longhorn/longhorn: what is merged, what is warned of, or why it is refused and what the hint
// leads to.
func TestReportedStates(t *testing.T) {
	live := []string{headFile, twoFile, oneFile}
	do := func(steps ...func() error) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			t.Chdir(dir)
			for _, step := range steps {
				if err := step(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	write := func(name, text string) func() error {
		return func() error { return os.WriteFile(name, []byte(text), 0o600) }
	}
	remove := func(name string) func() error { return func() error { return os.Remove(name) } }
	size := func(name string, n int64) func() error { return func() error { return os.Truncate(name, n) } }
	meta := func(text string) func() error {
		return write("volume.meta", `{"Head":"volume-head-002.img","Parent":"volume-snap-two.img",`+text+`}`)
	}
	for issue, c := range map[string]struct {
		state   func(*testing.T, string)
		codes   []replica.Code
		layers  []string
		refused string
		way     replica.Want // that the hint names, where it is refused
	}{
		"2204, the engine's error is on record": {do(meta(`"Size":65536,"Error":"lstat /volume: no such file"`)),
			[]replica.Code{replica.WarnEngineError}, live, "", replica.Want{}},
		"3469, the only replica was being rebuilt": {do(meta(`"Size":65536,"Rebuilding":true`)), nil, live,
			"being rebuilt", replica.Want{ForceRebuilding: true}},
		"3601, expanded, which volume.meta does not know": {do(meta(`"Size":32768`), size(twoFile, 32768),
			size(oneFile, 32768), write(twoFile+".meta", `{"Parent":"volume-snap-one.img","Labels":{"replica-expansion":"65536"}}`)),
			[]replica.Code{replica.WarnSizeInferred}, live, "larger than the volume", replica.Want{Size: 65536}},
		"3883, several heads": {do(write("volume-head-001.img", "x"),
			write("volume-head-001.img.meta", `{"Parent":"volume-snap-one.img"}`)),
			[]replica.Code{replica.WarnExtraHead}, live, "", replica.Want{}},
		"4846, volume.meta is gone": {do(remove("volume.meta")),
			[]replica.Code{replica.WarnVolumeMetaLost, replica.WarnHeadInferred}, live, "", replica.Want{}},
		"4985, the oldest snapshot is larger": {do(size(oneFile, 1<<20)), nil, nil, "larger than volume-snap-two.img",
			replica.Want{}},
		"5169, the head is a directory": {do(remove(headFile), func() error { return os.Mkdir(headFile, 0o700) }), nil,
			live[1:], "it is missing", replica.Want{Snapshot: "two"}},
		"5789, the oldest .meta was deleted": {do(remove(oneFile + ".meta")),
			[]replica.Code{replica.WarnMetaLost, replica.WarnParentInferred}, live, "", replica.Want{}},
		"6078, snapshots of two sizes under a larger head": {do(size(oneFile, 32768), size(twoFile, 32768)),
			[]replica.Code{replica.WarnLayerShort}, live, "", replica.Want{}},
		"7174, only another head of no bytes": {do(remove(headFile), remove(headFile+".meta"), remove(twoFile),
			remove(twoFile+".meta"), remove(oneFile), remove(oneFile+".meta"), write("volume-head-001.img", "")), nil, nil,
			"it is missing", replica.Want{}},
		"7425, a layer without .meta while rebuilding": {do(meta(`"Size":65536,"Rebuilding":true`),
			remove(oneFile+".meta")), nil, live, "being rebuilt", replica.Want{ForceRebuilding: true}},
		"9988, started anew beside what there was": {do(
			write("volume.meta", `{"Size":65536,"Head":"volume-head-000.img"}`), write("volume-head-000.img", ""),
			size("volume-head-000.img", 65536), write("volume-head-000.img.meta", `{"Parent":""}`)), nil, live,
			"the live state is empty", replica.Want{Snapshot: headFile}},
		"12966, a head of a snapshot that was rolled back": {do(write("volume-head-003.img", ""),
			size("volume-head-003.img", 65536), write("volume-head-003.img.meta.tmp", "")),
			[]replica.Code{replica.WarnExtraHead, replica.WarnTemporary, replica.WarnMetaLost}, live, "", replica.Want{}},
		"13728, Name is the old head's": {do(write(oneFile+".meta", `{"Name":"volume-head-000.img","Parent":""}`)), nil,
			live, "", replica.Want{}},
	} {
		t.Run(issue, func(t *testing.T) {
			dir := replicaOf(t, three(), c.state)
			d, err := replica.Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			chain, err := d.Chain(replica.Want{})
			if c.refused != "" {
				refused(t, err, c.refused)
				followHints(t, d, replica.Want{}, err)
				if c.layers == nil {
					return
				}
				if chain, err = d.Chain(c.way); err != nil {
					t.Fatal(err)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			var files []string
			for _, l := range chain.Layers {
				files = append(files, filepath.Base(l.File))
			}
			if fmt.Sprint(files) != fmt.Sprint(c.layers) {
				t.Errorf("layers %v, want %v", files, c.layers)
			}
			for _, code := range c.codes {
				if !has(chain.Warnings, code) {
					t.Errorf("no warning %s in %v", code, chain.Warnings)
				}
			}
		})
	}
}
