package stepcatest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// seal encrypts with a password; open decrypts.
func seal(plain []byte, password string) []byte {
	gcm := sealer(password)
	nonce := make([]byte, gcm.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return gcm.Seal(nonce, nonce, plain, nil)
}

func open(sealed []byte, password string) ([]byte, error) {
	gcm := sealer(password)
	if len(sealed) < gcm.NonceSize() {
		return nil, errors.New("x509: no DEK-Info header in block")
	}
	plain, err := gcm.Open(nil, sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():], nil)
	if err != nil {
		return nil, errors.New("x509: decryption password incorrect")
	}
	return plain, nil
}

func sealer(password string) cipher.AEAD {
	key := sha256.Sum256([]byte(password))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has the right length
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // of a block of the right length
	}
	return gcm
}

const sealedType = "STEPCATEST ENCRYPTED PRIVATE KEY"

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// encodeKey encodes a private key, encrypted unless the password is empty.
func encodeKey(key *ecdsa.PrivateKey, password string) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	if password == "" {
		return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: sealedType, Bytes: seal(der, password)}), nil
}

func decodeKey(text []byte, password string) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	switch {
	case block == nil:
		return nil, errors.New("error decoding: not a valid PEM encoded block")
	case block.Type == "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	case block.Type != sealedType:
		return nil, fmt.Errorf("error decoding: contains an unexpected header '%s'", block.Type)
	}
	der, err := open(block.Bytes, password)
	if err != nil {
		return nil, err
	}
	return x509.ParseECPrivateKey(der)
}

// changePass is step crypto change-pass.
func (ca *CA) changePass(p *hosttest.Process, words []string) error {
	o, err := parse(words, "password-file new-password-file", "force")
	if err != nil {
		return err
	}
	if err := o.require("password-file", "new-password-file", "force"); err != nil { // it asks before it overwrites
		return err
	}
	if len(o.args) != 1 {
		return errors.New("'step crypto change-pass' requires the <key-file> argument")
	}
	text, err := read(p, o.args[0])
	if err != nil {
		return err
	}
	before, err := password(p, o.get("password-file"))
	if err != nil {
		return err
	}
	after, err := password(p, o.get("new-password-file"))
	if err != nil {
		return err
	}
	key, err := decodeKey(text, before)
	if err != nil {
		return err
	}
	sealed, err := encodeKey(key, after)
	if err != nil {
		return err
	}
	return write(p, o.args[0], sealed)
}

// public is step crypto key public, of a key or a certificate.
func (ca *CA) public(p *hosttest.Process, words []string) error {
	o, err := parse(words, "password-file", "")
	if err != nil {
		return err
	}
	if len(o.args) != 1 {
		return errors.New("too many positional arguments")
	}
	text, err := read(p, o.args[0])
	if err != nil {
		return err
	}
	var public any
	if cert, err := parseCertificate(text); err == nil {
		public = cert.PublicKey
	} else {
		secret := ""
		if o.get("password-file") != "" {
			if secret, err = password(p, o.get("password-file")); err != nil {
				return err
			}
		}
		key, err := decodeKey(text, secret)
		if err != nil {
			return err
		}
		public = &key.PublicKey
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return err
	}
	return pem.Encode(p.Stdout(), &pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// jwe stands for the encrypted key of a JWK provisioner: whoever knows the password can open it.
func jwe(password string) string {
	return base64.RawURLEncoding.EncodeToString(seal([]byte("the provisioner's key"), password))
}

func openJWE(text, password string) error {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		_, err = open(b, password)
	}
	if err != nil {
		return errors.New("error decrypting JWK: square/go-jose: error in cryptographic primitive")
	}
	return nil
}
