"""Complete models, each counted and built from a config dataclass; they do not depend on data."""

from kerasseq.models.captioner import Captioner
from kerasseq.models.classifier import Classifier
from kerasseq.models.feature_extractor import FeatureExtractor
from kerasseq.models.forecaster import Forecaster
from kerasseq.models.forecaster_stream import State, Stream
from kerasseq.models.image_encoder import check_cached, image_cnn, image_network, image_size
from kerasseq.models.language_model import LanguageModelConfig, TokenScorer
from kerasseq.models.likelihoods import Likelihood
from kerasseq.models.sequence_classifier import SequenceClassifierConfig
from kerasseq.models.sequence_classifier_stream import SequenceState, SequenceStream
from kerasseq.models.softmax_loss import BatchLoss
from kerasseq.models.tagger import TaggerConfig
from kerasseq.models.text_pretraining import NeighbourLoss
from kerasseq.models.transfer import (
    copy_language_model,
    language_model_decoder,
    layers_from_above,
)
from kerasseq.models.word_loss import WordLoss

__all__ = [
    "BatchLoss",
    "Captioner",
    "Classifier",
    "FeatureExtractor",
    "Forecaster",
    "LanguageModelConfig",
    "Likelihood",
    "NeighbourLoss",
    "SequenceClassifierConfig",
    "SequenceState",
    "SequenceStream",
    "State",
    "Stream",
    "TaggerConfig",
    "TokenScorer",
    "WordLoss",
    "check_cached",
    "copy_language_model",
    "image_cnn",
    "image_network",
    "image_size",
    "language_model_decoder",
    "layers_from_above",
]
