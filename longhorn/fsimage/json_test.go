package fsimage_test

import (
	"encoding/json"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/fsimage"
)

// TestJSONNames keeps names apart that are not UTF-8, which JSON has no strings for, and gives their bytes.
func TestJSONNames(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"caf\xe9", "caf\xe8", "caf\ufffd", "café", "a\xff/b", "a/\xffb"} {
		for kind, v := range map[string]any{
			"path":    fsimage.File{Path: name},
			"target":  fsimage.File{Target: name},
			"warning": fsimage.Warning{Code: fsimage.WarnLost, Path: name},
			"xattr":   fsimage.File{Xattrs: map[string][]byte{"user." + name: nil}},
		} {
			data, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Path, Target string
				Path64       []byte `json:"path_base64"`
				Target64     []byte `json:"target_base64"`
				Xattrs       map[string][]byte
			}
			if err := json.Unmarshal(data, &got); err != nil {
				t.Fatal(err)
			}
			text, bytes := got.Path+got.Target, string(got.Path64)+string(got.Target64)
			for key := range got.Xattrs {
				text, bytes = key, "user."+name
			}
			if other, ok := seen[kind+text]; ok {
				t.Errorf("%s: %q and %q are both %q", kind, other, name, text)
			}
			seen[kind+text] = name
			if exact := bytes; exact == "" && text != name || exact != "" && exact != name && kind != "xattr" {
				t.Errorf("%s %q: %s", kind, name, data)
			}
		}
	}
}
