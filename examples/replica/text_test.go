package main

import (
	"encoding/json"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

// TestName keeps names apart in JSON that are not UTF-8.
func TestName(t *testing.T) {
	seen := map[string]string{}
	for _, file := range []string{"volume-snap-\xfe.img", "volume-snap-\xff.img", "volume-snap-\ufffd.img", "volume-snap-é.img"} {
		layer, err := json.Marshal(layerLineOf(&replica.Layer{File: file}))
		if err != nil {
			t.Fatal(err)
		}
		point, err := json.Marshal(pointLineOf(replica.Point{Name: file}))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{string(layer), string(point)} {
			if other, ok := seen[line]; ok {
				t.Errorf("%q and %q are both %s", file, other, line)
			}
			seen[line] = file
		}
	}
}
