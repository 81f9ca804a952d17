package login

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/login/scram"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// authenticate proves by SCRAM-SHA-256 who we are, and lets the server prove that it knows the
// password too.
func (c *Config) authenticate(f *pgproto3.Frontend, conn net.Conn, mechanisms []string) error {
	if c.Password == nil {
		return fmt.Errorf("%w: the server asks for a password and none is given", lab.ErrUnauthorized)
	}
	t, secured := conn.(*tls.Conn)
	var binding []byte
	mechanism := scram.Mechanism
	if secured && slices.Contains(mechanisms, scram.MechanismPlus) {
		if certs := t.ConnectionState().PeerCertificates; len(certs) > 0 {
			if binding = certificateHash(certs[0]); binding != nil {
				mechanism = scram.MechanismPlus
			}
		}
	}
	if !slices.Contains(mechanisms, mechanism) {
		return fmt.Errorf("%w: the server offers %s and not SCRAM-SHA-256",
			lab.ErrUnauthorized, strings.Join(mechanisms, ", "))
	}
	// "y" would accuse a server that offers PLUS of having been tampered with when it is we who
	// cannot hash its certificate
	x := scram.NewClient(c.Password, binding, secured && !slices.Contains(mechanisms, scram.MechanismPlus))
	f.Send(&pgproto3.SASLInitialResponse{AuthMechanism: mechanism, Data: x.First()})
	if err := f.Flush(); err != nil {
		return err
	}
	next, err := receiveSASL[*pgproto3.AuthenticationSASLContinue](f)
	if err != nil {
		return err
	}
	final, err := x.Final(next.Data)
	if err != nil {
		return fmt.Errorf("%w: %w", lab.ErrUnauthorized, err)
	}
	f.Send(&pgproto3.SASLResponse{Data: final})
	if err := f.Flush(); err != nil {
		return err
	}
	end, err := receiveSASL[*pgproto3.AuthenticationSASLFinal](f)
	if err != nil {
		return err
	}
	if err := x.Check(end.Data); err != nil {
		return fmt.Errorf("%w: %w", lab.ErrUnauthorized, err)
	}
	return nil
}

func receiveSASL[T pgproto3.BackendMessage](f *pgproto3.Frontend) (t T, err error) {
	for {
		message, err := f.Receive()
		if err != nil {
			return t, err
		}
		switch m := message.(type) {
		case T:
			return m, nil
		case *pgproto3.NoticeResponse:
		case *pgproto3.ErrorResponse:
			return t, pgconn.ErrorResponseToPgError(m)
		default:
			return t, fmt.Errorf("unexpected answer %T while logging in", m)
		}
	}
}
