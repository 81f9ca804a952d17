package catalog

import (
	"reflect"
	"testing"
)

func TestDecodeEncode(t *testing.T) {
	want := FunctionGrant{Identity: "pgbouncer.user_lookup(text)", Schema: "pgbouncer", Kind: "f", Owner: `a-b"c`,
		Strict: true, Config: `{"a=b, c"}`, Grant: Grant{Grantor: "user", Privilege: "EXECUTE"}}
	row := Encode(want)
	var got FunctionGrant
	if err := Decode(row, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if string(row[4]) != `"a-b""c"` || string(row[21]) != "-" {
		t.Errorf("quoted as %s and %s", row[4], row[20])
	}
	for n := range row {
		row[n] = nil
	}
	if err := Decode(row, &got); err != nil || got != (FunctionGrant{}) {
		t.Errorf("nulls: %+v, %v", got, err)
	}
	if err := Decode(row[1:], &got); err == nil {
		t.Error("a row that is too short was read")
	}
	if err := Decode([][]byte{[]byte("x"), []byte("y"), nil, []byte("4")}, &Session{}); err != nil {
		t.Error(err)
	}
	if err := Decode([][]byte{nil, nil, nil, []byte("many")}, &Session{}); err == nil {
		t.Error("a number that is none was read")
	}
}
