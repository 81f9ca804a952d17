package login

import (
	"encoding/binary"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	gssRequestCode = 80877104
	cancelCode     = 80877102
	maxStartup     = 10000 // bytes, as in PostgreSQL
)

// AwaitStartup reads a client's startup packet. What it asks for is settled already.
func AwaitStartup(local net.Conn) error {
	for {
		head := make([]byte, 8)
		if _, err := io.ReadFull(local, head); err != nil {
			return err
		}
		length, code := binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:])
		if length < 8 || length > maxStartup {
			return errors.New("malformed startup packet")
		}
		if _, err := io.CopyN(io.Discard, local, int64(length-8)); err != nil {
			return err
		}
		switch code {
		case sslRequestCode, gssRequestCode:
			if _, err := local.Write([]byte("N")); err != nil {
				return err
			}
		case cancelCode:
			return errors.New("a cancel request")
		default:
			return nil
		}
	}
}

// Welcome lets a local client know that it is logged in, in the server's words: h is the connection
// that it is to talk to, and status the state of its transaction.
func Welcome(local net.Conn, h *pgconn.HijackedConn, status byte) error {
	b := pgproto3.NewBackend(local, local)
	b.Send(&pgproto3.AuthenticationOk{})
	for name, value := range h.ParameterStatuses {
		b.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	b.Send(&pgproto3.BackendKeyData{ProcessID: h.PID, SecretKey: h.SecretKey})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: status})
	return b.Flush()
}
