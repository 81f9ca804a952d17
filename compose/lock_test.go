package compose_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
)

func TestLock(t *testing.T) {
	l := compose.Lock{"busybox:1.36": {ID: id}, "postgres:17.2": {Digest: id}}
	again, err := compose.ReadLock("compose.lock.yaml", l.Format())
	if err != nil || !reflect.DeepEqual(l, again) {
		t.Errorf("%v: %v", err, again)
	}
	if _, err := compose.ReadLock("compose.lock.yaml", compose.Lock{}.Format()); err != nil {
		t.Error(err)
	}
	_, err = compose.ReadLock("compose.lock.yaml", []byte(`images:
  "a:1": {digest: "sha256:short"}
  "b:1": {}
  "c:1": {id: "`+id+`", digest: "`+id+`"}
  "NO": {id: "`+id+`"}
  "d:1": {tag: x}
`))
	if !errors.Is(err, lab.ErrInvalid) || !strings.Contains(err.Error(), "compose.lock.yaml:6") {
		t.Errorf("got %v", err)
	}
}

func FuzzReadLock(f *testing.F) {
	f.Add([]byte(compose.Lock{"a:1": {Digest: id}}.Format()))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := compose.ReadLock("x", b)
		if err != nil {
			return
		}
		if again, err := compose.ReadLock("x", l.Format()); err != nil || len(l) > 0 && !reflect.DeepEqual(l, again) {
			t.Errorf("%v: %v, %v", err, l, again)
		}
	})
}
