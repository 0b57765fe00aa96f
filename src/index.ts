export { configure } from './configure.js'
export { Vectors, type Embedder } from './embedder.js'
export {
  QuantizedVectors,
  quantizingOptions,
  type BytesOf,
  type QuantizationRanges,
  type QuantizedPrecision,
  type QuantizingOptions,
} from './quantized-vectors.js'
export { InlayError, InvalidOptionError, type ErrorCode, type ErrorContext } from './errors.js'
export type { RunOptions } from './options.js'
export type { Path } from './path.js'
export type { Progress } from './run.js'
export { Corpus, corpusOptions, type CorpusOptions, type Dropped } from './corpus/corpus.js'
export {
  Phrases,
  englishConnectorWords,
  phrasesOptions,
  type Phrase,
  type PhrasesOptions,
  type PhrasesSettings,
} from './corpus/phrases.js'
export { textOptions, type TextOptions } from './corpus/text.js'
export type {
  CorpusSource,
  DocumentSource,
  Documents,
  TaggedDocument,
  Text,
  Texts,
} from './corpus/source.js'
export type { Neighbour, Query, SearchOptions, WordOrVector } from './vectors/query.js'
export { WordList } from './vectors/word-list.js'
export type {
  AnalogyEvaluation,
  AnalogyScore,
  Questions,
  SimilarityEvaluation,
} from './vectors/evaluation.js'
export type { Precision } from './vectors/files.js'
export { WordVectors } from './vectors/word-vectors.js'
export {
  Cooccurrence,
  cooccurrenceOptions,
  type CooccurrenceOptions,
} from './words/cooccurrence.js'
export { Glove, gloveOptions, type GloveOptions, type GloveSettings } from './words/glove.js'
export { autotuneOptions, type AutotuneOptions, type Trial } from './words/autotune.js'
export {
  classifierOptions,
  labelledLineOptions,
  quantizeOptions,
  type ClassifierOptions,
  type PredictOptions,
  type QuantizeOptions,
} from './words/classifier-options.js'
export {
  FastTextClassifier,
  type ClassifierSettings,
  type Evaluation,
  type LabelPrediction,
  type LabelScore,
  type Tuning,
} from './words/fasttext-classifier.js'
export type { TunedOptions } from './words/tuning-space.js'
export { readLabelledTexts } from './words/labelled.js'
export type { LabelledLineOptions, LabelledSource, LabelledText } from './words/labelled.js'
export {
  Word2Vec,
  word2vecOptions,
  type Prediction,
  type Word2VecOptions,
  type Word2VecSettings,
} from './words/word2vec.js'
export {
  FastText,
  fastTextOptions,
  type FastTextOptions,
  type FastTextSettings,
  type Subword,
} from './words/fasttext.js'
export {
  MeanEncoder,
  meanEncoderOptions,
  type MeanEncoderOptions,
  type MeanEncoderSettings,
} from './words/mean-encoder.js'
export {
  DocumentEncoder,
  documentEncoderOptions,
  type DocumentEncoderOptions,
  type DocumentEncoderSettings,
} from './words/document-encoder.js'
export {
  Doc2Vec,
  doc2vecOptions,
  inferOptions,
  type Doc2VecOptions,
  type Doc2VecSettings,
  type InferOptions,
} from './words/doc2vec.js'
export {
  OneHotEncoder,
  oneHotEncoderOptions,
  type Category,
  type OneHotEncoderOptions,
} from './counts/one-hot-encoder.js'
export {
  SparseMatrix,
  type FoundRow,
  type SparseParts,
  type SparseRow,
} from './counts/sparse-matrix.js'
export { Vectorizer, readingOptions, type ReadingOptions } from './counts/vectorizer.js'
export {
  NgramVectorizer,
  hashingOptions,
  ngramVectorizerOptions,
  type HashingOptions,
  type NgramVectorizerOptions,
  type NgramVectorizerSettings,
} from './counts/ngram-vectorizer.js'
export {
  TfidfVectorizer,
  tfidfVectorizerOptions,
  type TfidfVectorizerOptions,
  type TfidfVectorizerSettings,
} from './counts/tfidf-vectorizer.js'
export {
  Bm25,
  bm25Options,
  type Bm25Options,
  type Bm25Settings,
  type FoundDocument,
} from './counts/bm25.js'
export {
  TruncatedSvd,
  truncatedSvdOptions,
  type TruncatedSvdOptions,
} from './counts/truncated-svd.js'
export {
  coherenceOptions,
  ldaOptions,
  topicMapOptions,
  transformOptions,
  type CoherenceOptions,
  type LdaOptions,
  type LdaSettings,
  type TopicMapOptions,
  type TransformOptions,
} from './topics/lda-options.js'
export { Lda, type TopicWord } from './topics/lda.js'
export {
  NgramLanguageModel,
  type NextWord,
  type NgramSettings,
  type Perplexity,
  type Sentence,
  type SentenceScore,
  type WordScore,
} from './language/ngram-language-model.js'
export {
  arpaOptions,
  filterOptions,
  generateOptions,
  nextWordsOptions,
  ngramOptions,
  ngramSaveOptions,
  perplexityOptions,
  type ArpaOptions,
  type FilterOptions,
  type GenerateOptions,
  type NextWordsOptions,
  type NgramOptions,
  type NgramSaveOptions,
  type PerplexityOptions,
} from './language/ngram-options.js'
export {
  ids,
  network,
  sequence,
  summary,
  values,
  type Input,
  type LayerSummary,
  type NetworkDescription,
} from './nn/description.js'
export type { Extent, Layer } from './nn/layer.js'
export {
  attentionalFusion,
  batchNorm,
  concat,
  dense,
  dropout,
  embedding,
  flatten,
  gated,
  gelu,
  hierarchicalSoftmax,
  layerNorm,
  layerScale,
  noise,
  normalize,
  padChannels,
  pixelShuffle,
  permute,
  pixelUnshuffle,
  quickGelu,
  relu,
  reshape,
  rmsNorm,
  shift,
  sigmoid,
  silu,
  slice,
  softmax,
  sum,
  take,
  tanh,
  variational,
} from './nn/layers.js'
export {
  attentionPool,
  averagePool,
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
  maxPool,
  multiheadPool,
  pool,
  resize,
} from './nn/windows.js'
export {
  gru,
  lstm,
  patchMerging,
  positions,
  prefixTokens,
  selfAttention,
  transformerBlock,
} from './nn/sequences.js'
export {
  binaryCrossEntropy,
  contrastive,
  cosineSimilarity,
  crossEntropy,
  sampledSoftmax,
  squaredError,
  triplet,
  type Loss,
} from './nn/losses.js'
export { adam, adamw, sgd, type Optimizer } from './nn/optimizers.js'
export type { Item, Items, PlacedItem } from './nn/columns.js'
export { type Mask, hide, masked } from './nn/masks.js'
export { estimateMemory, estimateOptions, type EstimateOptions } from './nn/estimate.js'
export type { Example, ExampleStream } from './nn/stream.js'
export type { TensorSource } from './nn/loading.js'
export { Network, type Epoch, type NetworkEvaluation } from './nn/network.js'
export { networkTrainingOptions, type NetworkTrainingOptions } from './nn/training.js'
export type { Examples } from './nn/examples.js'
export { Classifier, classifierHeadOptions } from './models/classifier.js'
export type { ClassifierHeadOptions } from './models/classifier.js'
export type { ClassPrediction, Labelled, LabelledInputs } from './models/labels.js'
export { NetworkModel } from './models/network-model.js'
export { NeuralLanguageModel } from './models/neural-language-model.js'
export { Nnlm, nnlm, nnlmOptions, type NnlmOptions, type NnlmShape } from './models/nnlm.js'
export {
  RecurrentLanguageModel,
  recurrentLanguageModel,
  recurrentLanguageModelOptions,
  type RecurrentLanguageModelOptions,
  type RecurrentLanguageModelShape,
} from './models/recurrent-language-model.js'
export { TextClassifier } from './models/text-classifier.js'
export {
  TextCnn,
  textCnn,
  textCnnOptions,
  type TextCnnOptions,
  type TextCnnShape,
} from './models/text-cnn.js'
export { TextNetwork } from './models/text-network.js'
export { openTextModel } from './models/open-text-model.js'
export {
  RecurrentClassifier,
  recurrentClassifier,
  recurrentClassifierOptions,
  type RecurrentClassifierOptions,
  type RecurrentClassifierShape,
} from './models/recurrent-classifier.js'
export {
  RecurrentEncoder,
  recurrentEncoder,
  recurrentEncoderOptions,
  type RecurrentEncoderOptions,
  type RecurrentEncoderShape,
} from './models/recurrent-encoder.js'
export {
  SequenceTagger,
  sequenceTagger,
  sequenceTaggerOptions,
  type SequenceTaggerOptions,
  type SequenceTaggerShape,
} from './models/sequence-tagger.js'
export type { TaggedSentence, TaggedSentences } from './models/tagged-sentences.js'
export {
  TransformerClassifier,
  transformerClassifier,
  transformerClassifierOptions,
  type TransformerClassifierOptions,
} from './models/transformer-classifier.js'
export {
  TransformerEncoder,
  contrastOptions,
  maskedLanguageModel,
  transformerEncoder,
  transformerEncoderOptions,
  type ContrastOptions,
  type TextPair,
  type TransformerEncoderOptions,
  type TransformerShape,
} from './models/transformer-encoder.js'
export type { ClassEvaluation, ClassScore } from './models/class-evaluation.js'
export {
  readTable,
  readTableOptions,
  type Cell,
  type ReadTableOptions,
  type Row,
  type TableSource,
} from './tables/read-table.js'
export { readConllu, readConlluOptions, type ReadConlluOptions } from './tables/read-conllu.js'
export type { CategoricalColumn, Column, ColumnKind, NumericColumn } from './tables/columns.js'
export { CategoryEmbeddings, type TableAnswers } from './models/category-embeddings.js'
export {
  categoryEmbeddingsOptions,
  openTableOptions,
  type CategoryEmbeddingsOptions,
  type TableTask,
} from './models/category-options.js'
export type { RegressionEvaluation, TableClassEvaluation } from './models/table-evaluation.js'
export { readImage, readImageOptions } from './media/read-image.js'
export type { Image, ReadImageOptions } from './media/read-image.js'
export { readSound, readSoundOptions } from './media/read-sound.js'
export type { ReadSoundOptions, Sound } from './media/read-sound.js'
export {
  readVideo,
  readVideoOptions,
  type ReadVideoOptions,
  type VideoFrame,
} from './media/read-video.js'
export { encodeY4m, encodeY4mOptions, type EncodeY4mOptions } from './media/encode-y4m.js'
export type { MediaSource } from './media/bytes.js'
export { readIdx, type IdxArray } from './pictures/read-idx.js'
export { readPictureFolder, readPictures, readPicturesOptions } from './pictures/read-pictures.js'
export type { ReadPicturesOptions } from './pictures/read-pictures.js'
export { openImageModel } from './models/open-image-model.js'
export type { Picture, PictureShape } from './pictures/pictures.js'
export { ImageCnn, imageCnnOptions, type ImageCnnOptions } from './models/image-cnn.js'
export {
  ImageAutoencoder,
  imageAutoencoderOptions,
  type ImageAutoencoderOptions,
  type ReconstructionEvaluation,
} from './models/image-autoencoder.js'
export {
  VideoAutoencoder,
  videoAutoencoderOptions,
  type VideoAutoencoderOptions,
  type VideoCodingOptions,
  type VideoReconstruction,
} from './models/video-autoencoder.js'
export type { ClipInput } from './models/clips.js'
export { readLatent, saveLatent } from './patches/latent-file.js'
export {
  MaskedAutoencoder,
  maskedAutoencoderOptions,
  type MaskedAutoencoderOptions,
} from './models/masked-autoencoder.js'
export {
  PrincipalComponents,
  principalComponentsOptions,
  type PrincipalComponentsOptions,
} from './models/principal-components.js'
export {
  residualLayers,
  residualLayersOptions,
  type ResidualLayersOptions,
} from './models/residual-layers.js'
export { SentenceEncoder, sentenceEncoderOptions } from './encoders/sentence-encoder.js'
export {
  PromptedEncoder,
  SentenceVectors,
  sentenceEncodingOptions,
  type SentenceEncodingOptions,
} from './encoders/prompted-encoder.js'
export {
  StaticEncoder,
  distillingOptions,
  staticEncoderOptions,
  staticSavingOptions,
  type DistillingOptions,
} from './encoders/static-encoder.js'
export { downloadModel, downloadOptions, type DownloadOptions } from './encoders/hub.js'
export {
  sentenceTrainingOptions,
  type SentenceTrainingOptions,
} from './encoders/sentence-training.js'
export type {
  ScoredPair,
  SentenceExample,
  SentenceExamples,
  TextTriplet,
} from './encoders/sentence-examples.js'
export {
  aiEmbeddingModel,
  lancedbEmbeddings,
  langchainEmbeddings,
  type AiEmbeddingModel,
  type LancedbEmbedding,
  type LancedbEmbeddings,
  type LangchainEmbeddings,
} from './encoders/frameworks.js'
export type { ImageInput, ImagePreparation, RawImage } from './pictures/prepare-pictures.js'
export {
  ImagePatches,
  imageCuttingOptions,
  imagePatchesOptions,
  type ImagePatchesOptions,
} from './patches/image-patches.js'
export {
  VideoPatches,
  videoPatchesOptions,
  type FilmInput,
  type FrameInput,
  type VideoPatchesOptions,
} from './patches/video-patches.js'
export {
  LatentPatches,
  latentPatchesOptions,
  type LatentPatchesOptions,
  type VideoLatent,
} from './patches/latent-patches.js'
export type { SoundInput } from './patches/sound-input.js'
export {
  Spectrogram,
  spectrogramOptions,
  type SpectrogramOptions,
  type SpectrogramValues,
} from './patches/spectrogram.js'
export {
  SoundPatches,
  soundPatchesOptions,
  type SoundPatchesOptions,
} from './patches/sound-patches.js'
export { Tokens, type Modality, type TokenInput, type TokenParts } from './patches/tokens.js'
export {
  PatchEmbedding,
  patchEmbeddingOptions,
  type PatchEmbeddingOptions,
  type PatchProjections,
} from './patches/patch-embedding.js'
export {
  ImageEncoder,
  imageEncoderOptions,
  imageEncodingOptions,
  type ImageEncoderOptions,
  type ImageEncodingOptions,
  type ImagePrediction,
} from './encoders/image-encoder.js'
export { Vgg } from './encoders/vgg.js'
export { ResNet } from './encoders/resnet.js'
export { ClipEncoder } from './encoders/clip-encoder.js'
export { SiglipEncoder } from './encoders/siglip-encoder.js'
export {
  ImageTextEncoder,
  clipTextOptions,
  type ClipPredictionOptions,
  type ClipTextOptions,
} from './encoders/image-text-encoder.js'
export { ClapEncoder, type ClapPredictionOptions } from './encoders/clap-encoder.js'
export {
  SoundEncoder,
  soundEncodingOptions,
  type SoundEncodingOptions,
  type SoundPrediction,
  type SoundSource,
} from './encoders/sound-encoder.js'
export type { SoundPreparation } from './encoders/sound-processor.js'
export { loadImageEncoder } from './encoders/load-image-encoder.js'
export { loadSoundEncoder } from './encoders/load-sound-encoder.js'
export { Vit, vitOptions, type VitOptions } from './encoders/vit.js'
