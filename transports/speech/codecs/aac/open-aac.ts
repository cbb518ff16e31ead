/** AAC packets of the low-complexity profile (ISO/IEC 14496-3) to samples. Of HE-AAC the lower half of the spectrum is heard. */
import { ADTS_RATES } from '../../../../actors/audio/formats/mpeg.ts';
import { aacBandsOf, type AacBands } from './aac-bands.ts';
import { INTENSITY_CODEBOOKS, NOISE_CODEBOOK, readChannel, type AacChannel } from './aac-channel.ts';
import { unshape } from './aac-noise-shaping.ts';
import { createAacSynthesis, type AacSynthesis } from './aac-synthesis.ts';
import { eachBand, readWindowInfo } from './aac-window.ts';
import { BitReader } from '../bit-reader.ts';
import { mixedToOne, type OpenPacketDecoder } from '../packet-decoder.ts';

const LOW_COMPLEXITY = 2;
const SPECTRAL_REPLICATION = 5;
const PARAMETRIC_STEREO = 29;
const FRAME_SAMPLES = 1024;

export const openAac: OpenPacketDecoder = async ([config]) => {
  const rateIndex = config === undefined ? undefined : rateIndexOf(new BitReader(config, 0));
  if (rateIndex === undefined) return undefined;
  const bands = aacBandsOf(rateIndex);
  const sampleRate = ADTS_RATES[rateIndex] ?? 0;
  const synthesis: AacSynthesis[] = [];
  return {
    sampleRate,
    decode: async (packet) => {
      const channels = readFrame(new BitReader(packet, 0), bands);
      if (channels === undefined || channels.length === 0) return undefined;
      const heard = channels.map(({ spectrum, window, shaping }, index) => {
        if (shaping !== undefined) unshape(spectrum, window, shaping);
        return (synthesis[index] ??= createAacSynthesis()).next(spectrum, window);
      });
      return mixedToOne(heard, FRAME_SAMPLES);
    },
    lostSeconds: () => FRAME_SAMPLES / sampleRate,
    close: () => undefined,
  };
};

/** Of an `AudioSpecificConfig`; undefined where it is of another profile, or of frames of 960 samples. */
function rateIndexOf(bits: BitReader): number | undefined {
  const readRate = (): number => {
    const index = bits.unsigned(4);
    if (index !== 15) return index;
    return ADTS_RATES.indexOf(bits.unsigned(24));
  };
  let profile = bits.unsigned(5);
  const rateIndex = readRate();
  bits.unsigned(4);
  if (profile === SPECTRAL_REPLICATION || profile === PARAMETRIC_STEREO) {
    readRate();
    profile = bits.unsigned(5);
  }
  const isShortFrame = bits.unsigned(1) === 1;
  const isPossible = profile === LOW_COMPLEXITY && !isShortFrame && rateIndex >= 0 && rateIndex < ADTS_RATES.length - 1;
  return isPossible && !bits.isPastEnd ? rateIndex : undefined;
}

const ELEMENT = { single: 0, pair: 1, effects: 3, data: 4, fill: 6, end: 7 } as const;
/** More are no frame of speech. */
const MOST_CHANNELS = 8;

/** The spectra of all channels but that of low effects; undefined where the frame is damaged. */
function readFrame(bits: BitReader, bands: AacBands): readonly AacChannel[] | undefined {
  const channels: AacChannel[] = [];
  while (!bits.isPastEnd && channels.length <= MOST_CHANNELS) {
    const id = bits.unsigned(3);
    if (id === ELEMENT.end) return channels;
    if (id === ELEMENT.fill) skipFill(bits);
    else if (id === ELEMENT.data) skipData(bits);
    else if (id === ELEMENT.single || id === ELEMENT.effects) {
      bits.unsigned(4);
      const channel = readChannel(bits, bands);
      if (channel === undefined) return undefined;
      if (id === ELEMENT.single) channels.push(channel);
    } else if (id === ELEMENT.pair) {
      bits.unsigned(4);
      const pair = readPair(bits, bands);
      if (pair === undefined) return undefined;
      channels.push(...pair);
    } else return undefined;
  }
  return undefined;
}

function skipFill(bits: BitReader): void {
  const short = bits.unsigned(4);
  const count = short === 15 ? 14 + bits.unsigned(8) : short;
  for (let index = 0; index < count; index++) bits.unsigned(8);
}

function skipData(bits: BitReader): void {
  bits.unsigned(4);
  const isAligned = bits.unsigned(1) === 1;
  const short = bits.unsigned(8);
  const count = short === 255 ? 255 + bits.unsigned(8) : short;
  if (isAligned) bits.align();
  for (let index = 0; index < count; index++) bits.unsigned(8);
}

function readPair(bits: BitReader, bands: AacBands): readonly AacChannel[] | undefined {
  const isShared = bits.unsigned(1) === 1;
  const shared = isShared ? readWindowInfo(bits, bands) : undefined;
  if (isShared && shared === undefined) return undefined;
  const kind = isShared ? bits.unsigned(2) : 0;
  const isMixed = shared?.groups.map(() =>
    Array.from({ length: shared.bandCount }, () => (kind === 1 ? bits.unsigned(1) === 1 : kind === 2)),
  );
  const left = readChannel(bits, bands, shared);
  const right = left === undefined ? undefined : readChannel(bits, bands, shared);
  if (left === undefined || right === undefined) return undefined;
  if (isMixed !== undefined) separate(left, right, isMixed);
  return [left, right];
}

/** Undoes mid/side and intensity coding of a pair with one window. */
function separate(left: AacChannel, right: AacChannel, isMixed: readonly (readonly boolean[])[]): void {
  eachBand(right.window, (group, band, from, to) => {
    const codebook = right.codebooks[group]?.[band] ?? 0;
    const isMid = isMixed[group]?.[band] === true;
    if (codebook >= INTENSITY_CODEBOOKS.opposed) {
      const sign = (codebook === INTENSITY_CODEBOOKS.inPhase ? 1 : -1) * (isMid ? -1 : 1);
      const scale = sign * 0.5 ** ((right.factors[group]?.[band] ?? 0) / 4);
      for (let at = from; at < to; at++) right.spectrum[at] = (left.spectrum[at] ?? 0) * scale;
    } else if (isMid && codebook !== NOISE_CODEBOOK && left.codebooks[group]?.[band] !== NOISE_CODEBOOK) {
      for (let at = from; at < to; at++) {
        const [mid, side] = [left.spectrum[at] ?? 0, right.spectrum[at] ?? 0];
        left.spectrum[at] = mid + side;
        right.spectrum[at] = mid - side;
      }
    }
  });
}
