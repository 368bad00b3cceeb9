//! Why something asked of devices does not come about. The API says it in its own terms.

use rollcall_device_model::message::MessageError;
use rollcall_domain::ids::DeviceId;
use rollcall_log::BackboneError;
use rollcall_projection::admission::ViewError;

/// See the file.
#[derive(Debug, thiserror::Error)]
pub enum DevicesError {
    #[error("device {0} is not online")]
    NotOnline(DeviceId),
    #[error("the message cannot be sent")]
    Message(#[source] MessageError),
    #[error("the device has another message with message_id {0:?}")]
    MessageIdTaken(String),
    #[error("the device has no message {0:?}")]
    MessageNotFound(String),
    /// A message of this id is being created by another request.
    #[error("message {0:?} is being created by another request")]
    MessageContended(String),
    /// The `Idempotency-Key` was used for another request to the device.
    #[error("the Idempotency-Key was used for another request to the device")]
    KeyUsed,
    /// What is desired was changed for another version of the shadow.
    #[error("the shadow of service {service_id:?} has version {found}")]
    ShadowVersion { service_id: String, found: u64 },
    /// As many requests wait for answers of devices as may.
    #[error("{max} commands and property requests wait for answers of devices")]
    TooManyRequests { max: usize },
    /// Answers of devices cannot be read at the moment, so that nothing is asked.
    #[error("answers of devices cannot be listened for at the moment")]
    NotListening,
    #[error("too many are changing {document} at once")]
    Contended { document: String },
    #[error("it would make {document} of {bytes} bytes: at most {max} are kept")]
    DocumentTooLarge { document: String, bytes: usize, max: usize },
    /// A document is not what this version writes.
    #[error("a document of the device cannot be read by this version")]
    Unreadable,
    #[error("a document of the device cannot be written")]
    Unwritable,
    /// What is known of the instance is being read from its log.
    #[error("what is known of the instance is being read from its log")]
    NotReady,
    /// The message is kept; delivering it panicked.
    #[error("the message is kept, but delivering it failed in an unforeseen way")]
    DeliveryPanicked,
    /// After an error of the backbone it is unknown whether the change was made.
    #[error(transparent)]
    Backbone(#[from] BackboneError),
    #[error(transparent)]
    View(#[from] ViewError),
}

impl DevicesError {
    /// Whether it concerns one device's document alone, so that waiting does not help and others may go on.
    pub(crate) const fn is_of_one_document(&self) -> bool {
        match self {
            Self::DocumentTooLarge { .. } | Self::Unreadable | Self::Unwritable => true,
            Self::Backbone(error) => match error {
                BackboneError::LimitReached { .. }
                | BackboneError::StreamDiffers { .. }
                | BackboneError::Full { .. }
                | BackboneError::Damaged { .. } => true,
                BackboneError::Unavailable { .. } | BackboneError::Closed | BackboneError::Unwritable { .. } => false,
            },
            Self::NotOnline(_)
            | Self::Message(_)
            | Self::MessageIdTaken(_)
            | Self::MessageNotFound(_)
            | Self::MessageContended(_)
            | Self::KeyUsed
            | Self::ShadowVersion { .. }
            | Self::TooManyRequests { .. }
            | Self::NotListening
            | Self::Contended { .. }
            | Self::NotReady
            | Self::DeliveryPanicked
            | Self::View(_) => false,
        }
    }
}
