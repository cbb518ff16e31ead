/** Which files the Moonshine tiny model consists of, where they come from, and what they must hash to. */

export interface PinnedFile {
  readonly name: string;
  /** Path inside the npm package's archive. */
  readonly archivePath: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** The npm package (MIT) that carries the quantized model. Only two of its files are used, and none of its dependencies. */
export const MOONSHINE_PACKAGE = '@moonshine-ai/moonshine-js@0.1.29';
export const MOONSHINE_ARCHIVE_BYTES = 21_514_347;
/** Folder under the cache; a new model version gets a new folder, so that an old release keeps working beside it. */
export const MOONSHINE_FOLDER = 'moonshine-tiny-0.1.29';

export const MOONSHINE_FILES = {
  encoder: {
    name: 'encoder.onnx',
    archivePath: 'package/dist/model/tiny/quantized/encoder_model.onnx',
    bytes: 7_937_661,
    sha256: 'c6fc4b7bc5af75c0591fd157a1f3829b533d18e9769a888fd95a62e470dd4f4a',
  },
  decoder: {
    name: 'decoder.onnx',
    archivePath: 'package/dist/model/tiny/quantized/decoder_model_merged.onnx',
    bytes: 20_243_286,
    sha256: 'eed87831c3a6103534aae7d47a5d485025c659a1323901513961c39fe8a1a367',
  },
} as const satisfies Record<string, PinnedFile>;
