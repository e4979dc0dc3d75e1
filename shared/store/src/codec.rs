//! Encodes and decodes the content of items: the compact form of `postcard`, pages compressed. Pure.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::StoreError;
use crate::item::Item;

/// Returns the bytes of a value.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("no stored type has a part that cannot be encoded")
}

/// Returns the value that an item holds.
pub(crate) fn decode<T: DeserializeOwned>(item: &Item) -> Result<T, StoreError> {
    postcard::from_bytes(&item.body).map_err(|error| unreadable(item, error.to_string()))
}

/// Returns the value that an item holds, also where it was written before the type had its last member, which is an
/// [`Option`] or a [`bool`] and then is none or false.
pub(crate) fn decode_with_last_member<T: DeserializeOwned>(item: &Item) -> Result<T, StoreError> {
    decode(item).or_else(|error| {
        let mut bytes = item.body.clone();
        bytes.push(0);
        postcard::from_bytes(&bytes).map_err(|_| error)
    })
}

/// Returns the bytes, made smaller.
pub(crate) fn compress(bytes: &[u8]) -> Vec<u8> {
    lz4_flex::compress_prepend_size(bytes)
}

/// Returns the bytes that an item holds in compressed form.
pub(crate) fn decompress(item: &Item) -> Result<Vec<u8>, StoreError> {
    lz4_flex::decompress_size_prepended(&item.body).map_err(|error| unreadable(item, error.to_string()))
}

/// Returns the error that says an item cannot be read.
pub(crate) fn unreadable(item: &Item, message: String) -> StoreError {
    StoreError::Unreadable { key: Box::new(item.key.clone()), message }
}
