package pgtest

import "github.com/jackc/pgx/v5/pgproto3"

type column struct {
	name string
	oid  uint32
}

func rowDescription(columns []column) *pgproto3.RowDescription {
	d := &pgproto3.RowDescription{}
	for _, c := range columns {
		size := int16(-1)
		switch c.oid {
		case oidBool:
			size = 1
		case oidInt4:
			size = 4
		}
		d.Fields = append(d.Fields, pgproto3.FieldDescription{Name: []byte(c.name), DataTypeOID: c.oid,
			DataTypeSize: size, TypeModifier: -1})
	}
	return d
}

const (
	oidBool      = 16
	oidInt4      = 23
	oidText      = 25
	oidTextArray = 1009
)
