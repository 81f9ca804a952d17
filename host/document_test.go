package host_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// TestEveryProblemIsNamed: the error of a document lists all its problems, each with its line and
// the nearest valid word.
func TestEveryProblemIsNamed(t *testing.T) {
	kinds := slices.Sorted(maps.Keys(host.Kinds()))
	var doc strings.Builder
	for _, k := range kinds {
		fmt.Fprintf(&doc, "- %s: {afterr: [x]}\n- %sx: {}\n", k, k)
	}
	_, err := host.ReadState("bad.yaml", []byte(doc.String()), nil)
	if err == nil {
		t.Fatal("the document was accepted")
	}
	for i, k := range kinds {
		for _, want := range []string{
			fmt.Sprintf("bad.yaml:%d:", 2*i+1), fmt.Sprintf("bad.yaml:%d:", 2*i+2),
			"afterr (nearest: after)", fmt.Sprintf("%sx (nearest: %s)", k, k),
		} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in\n%v", want, err)
			}
		}
	}
	for doc, want := range map[string][]string{
		"- file: {path: relative}\n- file: {path: /x, mode: 999}\n- file: {path: /y, owner: '007'}\n": {
			"bad.yaml:1:16: [0].path: is not absolute: relative",
			"bad.yaml:2:26:",
			"bad.yaml:3:27: [2].owner: is not the number of an account: 007",
		},
		"- unit: {name: 'a*.service', state: runing}\n- package: {name: Curl}\n": {
			"bad.yaml:1:16: [0].name: is not the name of a unit: a*.service",
			"bad.yaml:1:37: [0].state: is not a state: runing",
			"bad.yaml:2:19: [1].name: is not the name of a package",
		},
		"- file: {path: /x}\n- link: {path: /x, target: y}\n": {"bad.yaml:2:"},
	} {
		_, err := host.ReadState("bad.yaml", []byte(doc), nil)
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%q is not in\n%v", w, err)
			}
		}
	}
}
