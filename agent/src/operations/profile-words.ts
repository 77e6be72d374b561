import { cellOf, centreOf, formatValue, rooms, type Field, type FieldValue, type RoomName } from '@koko/contract'
import { sizeInWords } from '../matching/places.ts'
import { formatList } from '../output.ts'

/** Each field of a profile by its name, with its label and its value in words. */
export function profileWords(
  room: RoomName,
  profile: Readonly<Record<string, FieldValue>>,
): { name: string; label: string; words: string }[] {
  return Object.entries(rooms[room].fields).map(([name, field]) => ({
    name,
    label: field.label,
    words: fieldWords(field, profile[name] ?? null),
  }))
}

export function fieldWords(field: Field, value: FieldValue): string {
  return field.kind === 'area' ? areaWords(String(value)) : formatValue(field, value, formatList)
}

function areaWords(area: string): string {
  const { latitude, longitude } = centreOf(cellOf(area))
  const centre = `${degrees(latitude, 'N', 'S')}, ${degrees(longitude, 'E', 'W')}`
  return `somewhere in the cell ${area}, ${sizeInWords(area)} around ${centre}`
}

function degrees(value: number, positive: string, negative: string): string {
  return `${Math.abs(value).toFixed(1)}° ${value >= 0 ? positive : negative}`
}
