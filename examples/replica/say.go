package main

import (
	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

// say says with which flag a setting is set; "" when there is none.
func say(s lab.Setting) string {
	value := func(otherwise string) string {
		if s.Value == "" {
			return otherwise
		}
		return word(s.Value)
	}
	switch s.Name {
	case replica.SettingSnapshot:
		return "--snapshot " + value("NAME")
	case replica.SettingParent:
		return "--parent " + value("FILE") + "=SNAPSHOT, with nothing behind = for none"
	case replica.SettingSize:
		return "--size " + value("BYTES")
	case replica.SettingBacking:
		return "--backing " + value("FILE")
	case replica.SettingNoBacking:
		return "--no-backing"
	case replica.SettingBorrow:
		return "--borrow"
	case replica.SettingForceRebuilding:
		return "--force-rebuilding"
	case replica.SettingDropMissing:
		return "--drop-missing"
	case replica.SettingEncrypted:
		return "--encrypted"
	case replica.SettingDevice:
		return "--device"
	case replica.SettingRestart:
		return "--restart"
	case replica.SettingPack:
		return "replica pack DIR"
	}
	return ""
}
