package redismanager

import "strings"

// slotCount is the number of hash slots of a Cluster.
const slotCount = 16384

// Slot gives the Cluster hash slot of a key, 0 to 16383: CRC16 of the key, or
// of its first non-empty {hash tag}, modulo 16384.
// Source: Redis Cluster specification, "Key distribution model".
func Slot(key string) int {
	if open := strings.IndexByte(key, '{'); open >= 0 {
		if length := strings.IndexByte(key[open+1:], '}'); length > 0 {
			key = key[open+1 : open+1+length]
		}
	}
	var crc uint16
	for i := range len(key) {
		crc = crc<<8 ^ crcTable[byte(crc>>8)^key[i]]
	}
	return int(crc % slotCount)
}

// crcTable is CRC16-CCITT (XMODEM): polynomial 0x1021, initial value 0.
var crcTable = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
		table[i] = crc
	}
	return table
}()

// checkSlots refuses keys of several slots before anything is sent.
func checkSlots(keys []string) error {
	if len(keys) < 2 {
		return nil
	}
	first := Slot(keys[0])
	for _, key := range keys[1:] {
		if Slot(key) != first {
			return newCrossSlotError(keys)
		}
	}
	return nil
}

func newCrossSlotError(keys []string) *CrossSlotError {
	e := &CrossSlotError{Keys: append([]string(nil), keys...)}
	for _, key := range keys {
		e.Slots = append(e.Slots, Slot(key))
	}
	return e
}
