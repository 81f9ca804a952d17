package forge

import (
	"encoding/json"
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// keyIDs returns the IDs of the keys in a JSON Web Key Set (RFC 7517).
func keyIDs(set []byte) (ids []string, err error) {
	var keys struct {
		Keys []struct {
			ID string `json:"kid"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(set, &keys); err != nil {
		return nil, fmt.Errorf("%w: the keys of the server are not a key set", lab.ErrConflict)
	}
	for _, k := range keys.Keys {
		if k.ID != "" {
			ids = append(ids, k.ID)
		}
	}
	return ids, nil
}
